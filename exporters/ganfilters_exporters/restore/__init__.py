"""Restoration: a network that fills holes, and one that removes noise and JPEG artefacts.

| module | what |
|---|---|
| `filler`, `denoiser` | the networks, and why they are built as they are |
| `masks`, `degrade` | holes and damage to learn from |
| `tasks` | what a step of training is; the loop is :mod:`..trainer` |
| `train` | the commands: read, train or go on, sample sheets, export |
| `export` | the ONNX files: what they take and give |

The discriminators, losses and augmentation are those of :mod:`..gan`.

Training the networks that ship
-------------------------------
The same commands train on a CPU and on a GPU; a run goes on where it stopped. Filling is learned at
128 pixels, then at 256, each beginning with a warm-up without the discriminator. Photographs of 128
pixels are cut little, or their cuts would be enlarged and blurred; larger ones may be cut more::

    ganfilters train inpaint --photos photos --photos nature --photos scenes \
        --teacher vgg16.safetensors --size 128 --smallest-cut 0.9 --batch 8 --steps 60000 \
        --run runs/inpaint-128 --out inpaint.onnx --no-export
    ganfilters train inpaint --init runs/inpaint-128 --photos photos --teacher vgg16.safetensors \
        --size 256 --smallest-cut 0.7 --perceptual-size 96 --batch 4 --rate 2e-4 --warm-up 300 \
        --steps 20000 --run runs/inpaint-256 --out inpaint.onnx

On a GPU larger batches (64, then 32) with ``--perceptual-size`` as large as ``--size``, and
``--rate 1e-3``. Denoising, and the variant that leaves texture::

    ganfilters train denoise --photos photos --size 96 --batch 8 --steps 100000 --out denoise.onnx
    ganfilters train denoise --init denoise.onnx.run --adversarial 0.01 --size 128 --rate 1e-4 \
        --photos photos --steps 5000 --out texture.onnx
"""
