"""Style transfer by feed-forward networks: training, adding a painting, export.

The networks, their loss and why they are built as they are: :mod:`.network`, :mod:`.predictor`.
What the exported file takes and gives: :mod:`.export`.

Training the network that ships
-------------------------------
One network holds the named styles and predicts the style of any painting. The same command trains
on a CPU and on a GPU; a run goes on where it stopped. On one GPU, in slices of at most ten minutes
(pass the command again until it says that all steps are done)::

    ganfilters train style --styles paintings --corpus van_gogh --photos photos \
        --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 8 \
        --size 224 --style-size 448 --batch 16 --steps 40000 --minutes 9 \
        --device cuda --precision bf16 --run runs/style --out style.onnx --overwrite

`--no-export` trains where onnx is missing; the same command without it, on a machine with the run's
folder, exports. Sizes above the photographs' own only blur them.

On a CPU, small pictures, and the named styles first: they teach the network to paint faster. These
two commands made the network that ships here, on two cores (AVX2) shared with other work: 1,220
steps in 26 minutes, then 2,100 in 100 minutes. The second rate follows the cosine of ``--steps``,
so more steps mean a slower fall. The photographs were 3,000 of Imagenette, the corpus 400
paintings of van Gogh. It is an early network, of the time before Muon, with Adam for everything:
the commands repeat its data and sizes, not its steps. Longer training will make it better::

    ganfilters train style --styles paintings --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 8 \
        --size 128 --style-size 256 --batch 4 --rate 2e-3 --steps 8000 --minutes 26 \
        --run runs/style-named --out named.onnx
    ganfilters train style --init named.onnx --styles paintings --corpus van_gogh \
        --photos photos --teacher vgg16.safetensors \
        --options exporters/ganfilters_exporters/style/paintings.toml --style-weight 8 \
        --size 128 --style-size 448 --batch 4 --rate 1.5e-3 --steps 2100 \
        --run runs/style --out style.onnx

One painting more in a trained network, in minutes on a CPU::

    ganfilters train style --init style.onnx --styles mine.jpg --photos photos \
        --teacher vgg16.safetensors --size 192 --batch 2 --rate 1e-2 --steps 300 --out mine.onnx
"""
