r"""Restoration: a network that fills holes, and one that removes noise and JPEG artefacts.

| module | what |
|---|---|
| `filler`, `denoiser`, `sizes` | the networks, and why they are built as they are |
| `masks`, `degrade` | holes and damage to learn from |
| `filling`, `denoising`, `shared` | what a step of training is; the loop is :mod:`..trainer` |
| `train` | the commands: read, train or go on, sample sheets, export |
| `export` | the ONNX files: what they take and give |
| `evaluate` | the command that measures denoising |
| `trained` | reading a network back from such a file, or from a run |

The discriminators and losses are those of :mod:`..gan`.

Training the networks that ship
-------------------------------
The same commands train on a CPU and on a GPU; a run goes on where it stopped. Filling is learned at
64 pixels, where what belongs where is cheapest to learn, then at 128, and where there is time at
256. Photographs of 128 pixels are cut little then, or their cuts would be enlarged and blurred.
The network that ships was begun with other weights of the loss than these (see docs/training.md),
so this is how to make one like it::

    ganfilters train inpaint --photos photos --photos nature --photos scenes \
        --teacher vgg16.safetensors --size 64 --smallest-cut 0.5 --perceptual-size 48 --batch 12 \
        --rate 7e-4 --warm-up 700 --steps 6500 --run runs/inpaint-64 --out inpaint.onnx --no-export
    ganfilters train inpaint --init runs/inpaint-64 --photos photos --photos nature \
        --photos scenes --teacher vgg16.safetensors --size 128 --smallest-cut 0.9 \
        --perceptual-size 48 --warm-up 60 --steps 60000 --run runs/inpaint-128 --out inpaint.onnx

On a GPU larger batches (64), ``--perceptual-size`` as large as ``--size``, and ``--rate 1e-3``.

Denoising, in five runs of three and a half hours on one core, each with ``--init`` and the one
before; then the variant that leaves texture::

    ganfilters train denoise --photos photos --size 64 --batch 8 --steps 3000 --out a.onnx
    ganfilters train denoise --photos photos --size 96 --batch 6 --steps 6500 --out b.onnx \
        --init a.onnx
    ganfilters train denoise --photos photos --size 96 --batch 6 --steps 7400 --out c.onnx \
        --init b.onnx
    ganfilters train denoise --photos photos --size 96 --batch 6 --rate 8e-4 --steps 2700 \
        --out d.onnx --init c.onnx
    ganfilters train denoise --photos photos --size 128 --batch 4 --rate 4e-4 --steps 1500 \
        --out denoise.onnx --init d.onnx
    ganfilters train denoise --photos photos --size 128 --batch 4 --rate 2e-4 --adversarial 0.02 \
        --steps 3000 --out texture.onnx --init denoise.onnx
"""
