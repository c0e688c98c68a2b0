"""Restoration: a network that fills holes, and one that removes noise and JPEG artefacts.

| module | what |
|---|---|
| `filler`, `denoiser` | the networks, and why they are built as they are |
| `masks`, `degrade` | holes and damage to learn from |
| `filling`, `denoising`, `shared` | what a step of training is; the loop is :mod:`..trainer` |
| `train` | the commands: read, train or go on, sample sheets, export |
| `export` | the ONNX files: what they take and give |
| `trained` | reading a network back from such a file, or from a run |

The discriminators and losses are those of :mod:`..gan`.

Training the networks that ship
-------------------------------
The same commands train on a CPU and on a GPU; a run goes on where it stopped. Filling is learned at
64 pixels, where what belongs where is cheapest to learn, then at 128, and where there is time at
256. Photographs of 128 pixels are cut little then, or their cuts would be enlarged and blurred::

    ganfilters train inpaint --photos photos --photos nature --photos scenes \
        --teacher vgg16.safetensors --size 64 --smallest-cut 0.5 --perceptual-size 48 --batch 12 \
        --rate 7e-4 --warm-up 700 --steps 6500 --run runs/inpaint-64 --out inpaint.onnx --no-export
    ganfilters train inpaint --init runs/inpaint-64 --photos photos --photos nature \
        --photos scenes --teacher vgg16.safetensors --size 128 --smallest-cut 0.9 \
        --perceptual-size 48 --warm-up 60 --steps 60000 --run runs/inpaint-128 --out inpaint.onnx

On a GPU larger batches (64), ``--perceptual-size`` as large as ``--size``, and ``--rate 1e-3``.
Denoising, and the variant that leaves texture::

    ganfilters train denoise --photos photos --size 96 --batch 8 --steps 100000 --out denoise.onnx
    ganfilters train denoise --init denoise.onnx --adversarial 0.01 --size 128 --rate 1e-4 \
        --photos photos --steps 5000 --out texture.onnx
"""
