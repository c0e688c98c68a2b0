"""Between `Image` and what Python programs hold: arrays, PIL images, bytes, paths."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ganfilters.areas import bounding_box
from ganfilters.errors import ImageError
from ganfilters.image import Animation, FloatArray, Image, Metadata
from ganfilters.limits import MAX_PIXELS
from ganfilters.tiling import row_blocks

if TYPE_CHECKING:
    from PIL import Image as PILImage

__all__ = [
    "Kind",
    "accept",
    "check_array",
    "from_array",
    "from_pil",
    "mask_image",
    "read_mask",
    "reference",
    "to_array",
    "to_image",
    "to_pil",
]

_KINDS = "a path, the bytes of a file, a PIL image, a NumPy array or a ganfilters Image"
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
Array = npt.NDArray[Any]


def from_array(array: Array) -> Image:
    """Make an `Image` from an array, taken as sRGB.

    Parameters
    ----------
    array
        uint8, uint16, or float in [0, 1]; H x W, or H x W x 1, 3 (RGB) or 4 (RGB and alpha).

    Raises
    ------
    ImageError
        Another dtype or shape, or float values that are not finite and in [0, 1].
    """
    check_array(array)
    metadata = Metadata(
        mode="L" if array.ndim == 2 or array.shape[2] == 1 else "RGB",
        bit_depth=16 if _is_samples(array.dtype) and array.dtype.itemsize == 2 else 8,
    )
    planes = array[..., None] if array.ndim == 2 else array
    pixels = np.empty((*array.shape[:2], 3), np.float32)
    _unit(planes[..., :3], pixels)
    alpha = None
    if planes.shape[2] == 4:
        alpha = np.empty(array.shape[:2], np.float32)
        _unit(planes[..., 3], alpha)
    return Image(pixels, alpha, metadata=metadata)


def _unit(values: Array, out: FloatArray) -> None:
    if values.dtype.kind == "u":
        limit = np.float32(np.iinfo(values.dtype).max)
        np.divide(values, limit, out=out, dtype=np.float32)
    else:
        out[...] = values


def check_array(array: Array) -> None:
    """Raise `ImageError` unless `from_array` takes the array; says why not."""
    shape = " x ".join(str(side) for side in array.shape)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; the channels come first here, so pass array.transpose(1, 2, 0)"
        elif array.ndim == 4 and array.shape[0] == 1:
            hint = "; this is a batch, so pass array[0]"
        raise ImageError(
            "an array must be height x width, or height x width x 1, 3 or 4 channels, not "
            f"{shape or 'a single number'}{hint}"
        )
    if 0 in array.shape:
        raise ImageError(f"a picture needs at least one pixel; this array is {shape}")
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ImageError("the array holds values that are not finite (NaN or infinity)")
        if low < 0 or high > 1:
            hint = "; divide it by 255" if low >= 0 and 1.5 < high <= 255 else ""
            raise ImageError(
                f"a float array must be from 0 to 1 and this one is from {low:g} to {high:g}{hint}"
            )
    elif array.dtype == np.bool_:
        raise ImageError(
            "a bool array is a mask, not a picture; pass it as mask, or "
            "array.astype(numpy.uint8) * 255 as the picture"
        )
    elif not _is_samples(array.dtype):
        raise ImageError(
            f"an array must be uint8, uint16 or float, not {array.dtype}; "
            "for values 0 to 255 pass array.astype(numpy.uint8)"
        )


def _is_samples(dtype: np.dtype[Any]) -> bool:
    """Return whether it is uint8 or uint16, in either order of bytes."""
    return dtype.kind == "u" and dtype.itemsize in (1, 2)


def from_pil(picture: PILImage.Image, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Make an `Image` from a PIL image, its profile, EXIF and resolution included.

    The pixels are taken as they lie: Pillow leaves turning by the EXIF orientation to the caller
    (``PIL.ImageOps.exif_transpose``), so the orientation is left in the EXIF here as well.

    Raises
    ------
    ImageError
        It is too large, damaged, or of a mode without a plain meaning.
    """
    from ganfilters.imageio import _pillow
    from ganfilters.imageio._samples import Decoded, assemble

    width, height = picture.size
    if width * height > max_pixels:
        raise ImageError(
            f"the PIL image of {width} x {height} is over the limit of {max_pixels:,} pixels; "
            f"raise it with `max_pixels={width * height}`"
        )
    if not width or not height:
        raise ImageError(f"a picture needs at least one pixel; this one is {width} x {height}")
    try:
        samples, alpha, mode = _pillow.from_pil(picture)
    except ImageError:
        raise
    except Exception as error:  # Pillow decodes only now, and raises what it stumbles over
        raise ImageError(f"the PIL image cannot be decoded ({error})") from error
    info = picture.info
    icc, exif, xmp = (info.get(key) for key in ("icc_profile", "exif", "xmp"))
    decoded = Decoded(
        samples,
        mode,
        picture.format or "",
        alpha=alpha,
        icc=icc if isinstance(icc, bytes) else None,
        exif=exif if isinstance(exif, bytes) else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=_pillow.dpi_of(info),
        turn=False,
    )
    return assemble(decoded, None)


def to_image(value: Any, *, max_pixels: int = MAX_PIXELS) -> Image | Animation:
    """Return any kind of picture as an `Image`, or as an `Animation` if it holds several frames.

    Parameters
    ----------
    value
        A path, the bytes of a file, an open binary file, a PIL image (its current frame), a NumPy
        array, an `Image` or an `Animation`.
    max_pixels
        Largest number of pixels, checked before decoding.

    Raises
    ------
    ImageError
        It is none of these, or cannot be read.
    """
    from ganfilters import imageio

    if isinstance(value, (Image, Animation)):
        return value
    if isinstance(value, (str, Path)):
        return imageio.read(value, max_pixels=max_pixels)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return imageio.read(bytes(value), max_pixels=max_pixels)
    if isinstance(value, np.ndarray):
        return from_array(value)
    if _is_pil(value):
        return from_pil(value, max_pixels=max_pixels)
    if hasattr(value, "read") and hasattr(value, "seek"):
        return imageio.read(value, max_pixels=max_pixels)
    hint = ""
    if hasattr(value, "__array__"):
        hint = "; pass numpy.asarray(...) of it, height x width x channels"
    raise ImageError(f"a picture is {_KINDS}, not {type(value).__name__}{hint}")


def _is_pil(value: Any) -> bool:
    from PIL import Image as PILImage

    return isinstance(value, PILImage.Image)


@dataclass(frozen=True, eq=False)
class Kind:
    """What kind of thing a picture was, to give back the same kind.

    Attributes
    ----------
    name
        ``"image"`` (also for paths and open files), ``"pil"``, ``"array"`` or ``"bytes"``.
    source
        The array or PIL image itself.
    format
        The format of the bytes.
    """

    name: Literal["image", "pil", "array", "bytes"]
    source: Any = None
    format: str | None = None

    @property
    def records(self) -> bool:
        """The result can hold a recipe."""
        return self.name in ("image", "bytes")

    @classmethod
    def of(cls, value: Any) -> Kind:
        """Return the kind of a value that `to_image` took."""
        if isinstance(value, np.ndarray):
            return cls("array", value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return cls("bytes")
        if not isinstance(value, (Image, Animation, str, Path)) and _is_pil(value):
            return cls("pil", value)
        return cls("image")

    def give_back(self, result: Image | Animation) -> Any:
        """Return the result as the kind that came in.

        An array has the dtype and the channels of the source: a grey array gives a grey array,
        and one without alpha gives none. A PIL image has the source's mode if that can hold the
        result, else RGB or RGBA. Bytes have the format of the source.
        """
        if self.name == "bytes":
            from ganfilters import imageio

            first = result.first() if isinstance(result, Animation) else result
            return imageio.encode(result, self.format or first.metadata.format or "PNG")
        if isinstance(result, Animation) or self.name == "image":
            return result
        return self._array(result) if self.name == "array" else self._pil(result)

    def _array(self, result: Image) -> Array:
        source: Array = self.source
        channels = 0 if source.ndim == 2 else source.shape[2]
        untouched = result.untouched
        if untouched is None or result.pixels.shape[:2] != source.shape[:2]:
            return to_array(result, source.dtype, channels)
        # What is untouched is copied: float64 would come back rounded to float32 otherwise, and
        # of a large picture with a small mask little is left to convert.
        out = np.array(source, order="C")
        area = bounding_box(~untouched)
        alpha = None if result.alpha is None else result.alpha[area]
        part = to_array(Image(result.pixels[area], alpha), source.dtype, channels)
        changed = ~untouched[area]
        np.copyto(out[area], part, where=changed if source.ndim == 2 else changed[..., None])
        return out

    def _pil(self, result: Image) -> PILImage.Image:
        source: PILImage.Image = self.source
        picture = _pil(result, source.mode)
        info = dict(source.info)
        info.pop("transparency", None)
        if "icc_profile" in info and picture.info.get("icc_profile") is None:
            del info["icc_profile"]
        picture.info = info
        return picture


def accept(value: Any, *, max_pixels: int = MAX_PIXELS) -> tuple[Image | Animation, Kind]:
    """Return a value as `to_image` does, and its kind."""
    image = to_image(value, max_pixels=max_pixels)
    kind = Kind.of(value)
    if kind.name == "bytes":
        first = image.first() if isinstance(image, Animation) else image
        kind = Kind("bytes", format=first.metadata.format)
    return image, kind


def to_pil(image: Image) -> PILImage.Image:
    """Return a PIL image: L, LA, RGB, RGBA or CMYK, 8 bits, with its profile in ``info``."""
    return _pil(image, "RGB")


def _pil(image: Image, mode: str) -> PILImage.Image:
    """Return a PIL image: of more than 8 bits if it is grey and `mode` holds that."""
    from PIL import Image as PILImage

    from ganfilters.imageio._samples import quantise, unit

    what = quantise(image, 8, icc=True, cmyk=image.alpha is None)
    deep = mode == "F" or mode.startswith("I")
    if deep and image.alpha is None and what.mode == "L":
        what = quantise(image, 16, icc=True, cmyk=False)
    samples = what.stacked()
    if samples.dtype == np.uint16 and mode == "F":
        samples = unit(samples)
    elif samples.dtype == np.uint16 and mode == "I":
        samples = samples.astype(np.int32)
    if what.mode == "CMYK":
        size = (samples.shape[1], samples.shape[0])
        picture = PILImage.frombytes("CMYK", size, samples.tobytes())
    else:
        picture = PILImage.fromarray(np.ascontiguousarray(samples))
    if what.icc is not None:
        picture.info["icc_profile"] = what.icc
    if image.metadata.exif is not None:
        picture.info["exif"] = b"Exif\0\0" + image.metadata.exif
    if image.metadata.dpi is not None:
        picture.info["dpi"] = image.metadata.dpi
    return picture


def to_array(image: Image, dtype: npt.DTypeLike = np.uint8, channels: int = 3) -> Array:
    """Return the sRGB pixels as an array.

    Parameters
    ----------
    image
        The picture.
    dtype
        uint8, uint16 (rounded to the nearest) or a float.
    channels
        3, or 4 for alpha as well (opaque if there is none); 1 or 0 for the luminance, as
        H x W x 1 or H x W.

    Raises
    ------
    ImageError
        Another dtype or number of channels.
    """
    kind = np.dtype(dtype)
    if not _is_samples(kind) and kind.kind != "f":
        raise ImageError(f"an array can be uint8, uint16 or float, not {kind}")
    if channels not in (0, 1, 3, 4):
        raise ImageError(f"an array can have 0, 1, 3 or 4 channels, not {channels}")
    out = np.empty((image.height, image.width, channels or 1), kind)
    for rows in row_blocks(image.pixels.shape):
        pixels = image.pixels[rows]
        if channels < 3:
            _store(_luminance(pixels)[..., None], out[rows])
            continue
        _store(pixels, out[rows, :, :3])
        if channels == 4:
            opaque = np.ones(pixels.shape[:2], np.float32)
            _store(opaque if image.alpha is None else image.alpha[rows], out[rows, :, 3])
    return out[..., 0] if channels == 0 else out


def _store(values: FloatArray, out: Array) -> None:
    if out.dtype.kind == "f":
        out[...] = values
    else:
        limit = np.float32(np.iinfo(out.dtype).max)
        scaled = np.clip(values, 0, 1)
        scaled *= limit
        np.rint(scaled, out=out, casting="unsafe")


def _luminance(pixels: FloatArray) -> FloatArray:
    """Return H x W, maybe a view; grey pixels keep their exact value."""
    if pixels.strides[2] == 0:  # one plane seen as three
        return pixels[..., 0]
    result = np.array(pixels[..., 0])
    for rows in row_blocks(pixels.shape):
        block = pixels[rows]
        coloured = (block[..., 0] != block[..., 1]) | (block[..., 1] != block[..., 2])
        if coloured.any():
            np.copyto(result[rows], np.clip(block @ _LUMA, 0, 1), where=coloured)
    return result


def read_mask(value: Any, width: int, height: int, *, max_pixels: int = MAX_PIXELS) -> FloatArray:
    """Return a mask as float32, H x W, in [0, 1]: 1 means "work here"; not to be changed in place.

    A picture counts by its luminance. Where it is transparent it counts as black, so both a white
    area on black and a white area on nothing select the area.

    Parameters
    ----------
    value
        What `to_image` takes, or an array that is bool or holds only 0 and 1.
    width, height
        Size of the picture that the mask is for.

    Raises
    ------
    ImageError
        It cannot be read, or has another size.
    """
    loaded = mask_image(value, max_pixels=max_pixels)
    if (loaded.width, loaded.height) != (width, height):
        raise ImageError(
            f"the mask is {loaded.width} x {loaded.height} pixels but the picture is "
            f"{width} x {height}; they must be of one size"
        )
    mask = _luminance(loaded.pixels)
    return mask if loaded.alpha is None else mask * loaded.alpha


def mask_image(value: Any, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return a mask as the picture that it was given as, for `read_mask` to read.

    Parameters
    ----------
    value
        As for `read_mask`.
    max_pixels
        As for `to_image`.

    Raises
    ------
    ImageError
        It cannot be read, or is an animation.
    """
    if isinstance(value, np.ndarray):
        value = _mask_array(value)
        if value.ndim == 2 and value.size:
            check_array(value)
            plane = np.empty(value.shape, np.float32)
            _unit(value, plane)
            # A third of the memory, which counts for the mask of a large picture.
            grey = np.broadcast_to(plane[..., None], (*plane.shape, 3))
            return Image(grey, metadata=Metadata(mode="L"))
    loaded = to_image(value, max_pixels=max_pixels)
    if isinstance(loaded, Animation):
        raise ImageError("the mask is an animation; a mask is one picture")
    return loaded


def _mask_array(array: Array) -> Array:
    if array.ndim not in (2, 3) or not array.size:
        return array
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 1:
        array = array.astype(np.bool_)
    return array.astype(np.float32) if array.dtype == np.bool_ else array


def reference(image: Image) -> dict[str, Any]:
    """Return what `ganfilters.recipe.Reference` holds: path, size and checksum of a picture.

    The checksum is the SHA-256 of the size, the pixels at 16 bits, and the alpha at 16 bits. A mask
    counts as the picture that it was given as (`mask_image`), to be comparable with its file.
    """
    digest = hashlib.sha256(f"{image.width} {image.height}\n".encode())
    for plane in (image.pixels, image.alpha):
        if plane is None:
            continue
        for rows in row_blocks(plane.shape):
            block = np.empty(plane[rows].shape, "<u2")
            _store(plane[rows], block)
            digest.update(block.data)
    return {
        "path": image.metadata.source,
        "sha256": digest.hexdigest(),
        "width": image.width,
        "height": image.height,
    }
