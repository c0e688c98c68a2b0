r"""Style transfer by feed-forward networks: training, adding a painting, export, refining.

The networks, their loss and why they are built as they are: :mod:`.network`, :mod:`.predictor`.
What the exported file takes and gives: :mod:`.export`. What refining a painted picture needs, the
gradient of the loss and what paintings look like: :mod:`.refiner`, :mod:`.looks`.

Training the network that ships
-------------------------------
One network holds the named styles and predicts the style of any painting. The same command trains
on a CPU and on a GPU; a run goes on where it stopped. On one GPU, in slices of at most ten minutes
(pass the command again until it says that all steps are done)::

    ganfilters train style --styles paintings --corpus van_gogh --photos photos \
        --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --size 224 --style-size 448 --batch 16 --steps 40000 --minutes 9 \
        --device cuda --precision bf16 --run runs/style --out style.onnx --overwrite

`--no-export` trains where onnx is missing; the same command without it, on a machine with the run's
folder, exports. Sizes above the photographs' own only blur them.

On a CPU, small pictures, one a step, and the named styles first: they teach the network to paint
faster. These commands repeat how the network that ships here was made, on one core or two (AVX2):
14,200 steps in 112 minutes, then 9,500 in 122 and 3,100 of larger cuts in 47. The photographs were
3,000 of Imagenette, the corpus 400 paintings of van Gogh. It was learned on the way how to weigh
the losses: the first 8,750 steps had a style weight of 8 and no tone loss, and came out flat and
embossed; the next 5,100 a weight of 3 and a tone loss for the order of tones alone, and came out
hazy. The last stage paused twice, and the learning rate fell to its least before each pause::

    ganfilters train style --styles paintings --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --size 128 --style-size 448 --steps 14200 --run runs/style-named --out named.onnx
    ganfilters train style --init named.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --size 160 --style-size 448 --rate 3e-3 --steps 9500 --no-export \
        --run runs/style --out style.onnx

The last command once more with ``--size 192 --steps 12600``, and without ``--no-export``, goes on.
From the file that this writes, another run went on for 6,800 steps, in 93 minutes::

    ganfilters train style --init style.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --size 192 --style-size 448 --rate 2e-3 --steps 6800 --run runs/style-on --out on.onnx

None of these saw grain or a picture to paint over (``--grain 0 --overpaint 0`` now), and skies were
a weave. Two more runs did, 6,400 steps in 67 minutes and 3,600 in 38 (like all so far without the
weave loss, which is ``--weave-weight 0`` now)::

    ganfilters train style --init on.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --size 192 --style-size 448 --precision bf16 --rate 3e-3 --steps 6400 \
        --run runs/style-grain --out grain.onnx

The last command once more, with ``--init grain.onnx --rate 2e-3 --seed 1 --steps 3600`` and another
run and file, and from what that wrote with ``--rate 2e-3 --seed 2 --steps 12000`` in 132 minutes
(its first 5,577 steps as the first of 8,000). What was left of the weave, lines at even distances
in plain parts, went with the weave loss, in 3,000 steps and 49 minutes of one core::

    ganfilters train style --init x.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 3 \
        --weave-weight 1 --size 192 --style-size 448 --precision fp32 --rate 2e-3 --seed 4 \
        --steps 3000 --run runs/style-weave --out weave.onnx

All of these learned colours as well (``--palette 0`` now). Moving them towards the painting's, with
a heavier style loss, which that makes bearable, took 4,500 steps more, 71 minutes of one core,
which wrote the network::

    ganfilters train style --init weave.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 5 \
        --weave-weight 1 --size 192 --style-size 448 --precision fp32 --rate 2e-3 --seed 6 \
        --steps 4500 --run runs/style-palette --out style.onnx

The gradient that refining descends is made from VGG16's weights::

    ganfilters export refiner --weights vgg16.safetensors --out refiner.onnx

One painting more in a trained network, in minutes on a CPU::

    ganfilters train style --init style.onnx --styles mine.jpg --photos photos \
        --teacher vgg16.safetensors --size 192 --batch 2 --rate 1e-2 --steps 300 --out mine.onnx
"""
