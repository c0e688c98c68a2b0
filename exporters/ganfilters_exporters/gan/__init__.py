"""A small GAN laboratory: parts that know nothing of one another, and combine freely.

| module | what |
|---|---|
| `networks` | generators and plain discriminators: dense, DCGAN, style, image to image |
| `discriminators` | the projected discriminator, on frozen features |
| `losses` | the five games, and gradient penalties |
| `augment` | differentiable augmentation |
| `perceptual` | terms on pretrained features |
| `adversarial`, `tasks` | what a step of training is; the loop is :mod:`..trainer` |
| `collapse` | what is watched while training, besides :mod:`..sheets` |
| `trained` | trained networks, to train on |
| `standing` | statistics that fit averaged weights |
| `metrics`, `classifier`, `evaluate` | what is measured afterwards |
| `directions`, `export` | latent directions, and the ONNX file |

Pictures are (N, C, H, W) in [-1, 1] between generator and discriminator, and in [0, 1] elsewhere.
Classes are weights, (N, classes) of sum 1, so that they can be blended; training uses single ones.
"""
