# SPDX-License-Identifier: Apache-2.0
"""Pooling, upsampling and resizing of sequences, images and volumes."""

from drawing.choices import number, pick

FORMATS = ["channels_last", "channels_last", None, "channels_first"]
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
MOST_CELLS = 2000  # of what upsampling gives


def spatial(rng, shape, axes):
    """A data format and the sizes of its axes, or None where the rank is another."""
    if len(shape) != axes + 1:
        return None
    data_format = pick(rng, FORMATS)
    return data_format, shape[1:] if data_format == "channels_first" else shape[:-1]


def sizes(rng, axes, low, high):
    """One integer, or one for each axis."""
    if rng.random() < 0.5:
        return number(rng, low, high)
    return [number(rng, low, high) for _ in range(axes)]


def each(value, axes):
    return value if isinstance(value, list) else [value] * axes


def pooling(name, axes):
    def draw(rng, shape):
        found = spatial(rng, shape, axes)
        if found is None:
            return None
        data_format, size = found
        pool = sizes(rng, axes, 1, 4)
        fits = all(p <= n for p, n in zip(each(pool, axes), size, strict=True))
        arguments = {
            "pool_size": pool,
            "strides": pick(rng, [None, sizes(rng, axes, 1, 3)]),
            "padding": pick(rng, ["valid", "same"]) if fits else "same",
            "data_format": data_format,
        }
        return f"{name}{axes}D", arguments

    return draw


def global_pooling(name, axes):
    def draw(rng, shape):
        found = spatial(rng, shape, axes)
        if found is None:
            return None
        arguments = {"keepdims": bool(rng.random() < 0.5), "data_format": found[0]}
        return f"{name}{axes}D", arguments

    return draw


def adaptive_pooling(name, axes):
    def draw(rng, shape):
        found = spatial(rng, shape, axes)
        if found is None:
            return None
        size = [number(rng, 1, n) for n in found[1]]
        return f"{name}{axes}D", {"output_size": size, "data_format": found[0]}

    return draw


def up_sampling1d(rng, shape):
    if len(shape) != 2:
        return None
    return "UpSampling1D", {"size": number(rng, 1, 4)}


def up_sampling2d(rng, shape):
    found = spatial(rng, shape, 2)
    if found is None or found[1][0] * found[1][1] > MOST_CELLS // 9:
        return None
    return "UpSampling2D", {
        "size": sizes(rng, 2, 1, 3),
        "data_format": found[0],
        "interpolation": pick(rng, INTERPOLATIONS),
    }


def up_sampling3d(rng, shape):
    found = spatial(rng, shape, 3)
    if found is None or found[1][0] * found[1][1] * found[1][2] > MOST_CELLS // 8:
        return None
    return "UpSampling3D", {"size": sizes(rng, 3, 1, 2), "data_format": found[0]}


def resizing(rng, shape):
    found = spatial(rng, shape, 2)
    if found is None:
        return None
    ratio = pick(rng, [None, None, "crop_to_aspect_ratio", "pad_to_aspect_ratio"])
    arguments = {
        "height": number(rng, 1, 12),
        "width": number(rng, 1, 12),
        "interpolation": pick(rng, INTERPOLATIONS),
        "antialias": bool(rng.random() < 0.5),
        "data_format": found[0],
    }
    if ratio is not None:
        arguments |= {ratio: True, "fill_value": pick(rng, [0.0, 1.5])}
    return "Resizing", arguments


FAMILIES = {
    "max_pooling1d": pooling("MaxPooling", 1),
    "max_pooling2d": pooling("MaxPooling", 2),
    "max_pooling3d": pooling("MaxPooling", 3),
    "average_pooling1d": pooling("AveragePooling", 1),
    "average_pooling2d": pooling("AveragePooling", 2),
    "average_pooling3d": pooling("AveragePooling", 3),
    "global_max_pooling1d": global_pooling("GlobalMaxPooling", 1),
    "global_max_pooling2d": global_pooling("GlobalMaxPooling", 2),
    "global_max_pooling3d": global_pooling("GlobalMaxPooling", 3),
    "global_average_pooling1d": global_pooling("GlobalAveragePooling", 1),
    "global_average_pooling2d": global_pooling("GlobalAveragePooling", 2),
    "global_average_pooling3d": global_pooling("GlobalAveragePooling", 3),
    "adaptive_max_pooling1d": adaptive_pooling("AdaptiveMaxPooling", 1),
    "adaptive_max_pooling2d": adaptive_pooling("AdaptiveMaxPooling", 2),
    "adaptive_max_pooling3d": adaptive_pooling("AdaptiveMaxPooling", 3),
    "adaptive_average_pooling1d": adaptive_pooling("AdaptiveAveragePooling", 1),
    "adaptive_average_pooling2d": adaptive_pooling("AdaptiveAveragePooling", 2),
    "adaptive_average_pooling3d": adaptive_pooling("AdaptiveAveragePooling", 3),
    "up_sampling1d": up_sampling1d,
    "up_sampling2d": up_sampling2d,
    "up_sampling3d": up_sampling3d,
    "resizing": resizing,
}
