"""Published weights: downloaded from the first address that answers, verified by sha256, converted once."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from asd.core.artifacts import read_json, write_json
from asd.core.errors import UserError
from asd.core.fetch import digest_of, fetch
from asd.core.progress import progress
from asd.encoders.encoder_params import EncoderBlock, PublishedEncoder
from asd.encoders.networks import check_fit, create_encoder, save_tensors
from asd.encoders.published import OWN, PUBLISHED, Published

OWN_FOLDER = Path(__file__).parent / "pretrained"
CONVERTED, RECORD = "weights.safetensors", "record.json"


def home(name: str) -> Path:
    """Give the folder that keeps an encoder's weights: in ``$ASD_WEIGHTS`` or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asd" / "weights"
    return Path(os.environ.get("ASD_WEIGHTS") or cache) / name


def is_here(name: str) -> bool:
    """Tell whether an encoder's weights come with the package, or were downloaded and converted."""
    if is_own(name):
        return bool(PUBLISHED[name].file) and (OWN_FOLDER / PUBLISHED[name].file).is_file()
    return (home(name) / RECORD).is_file() and (home(name) / CONVERTED).is_file()


def get(name: str, given: Path | None = None) -> Path:
    """Give the verified weights of a published encoder; download and convert them where they are not here.

    Parameters
    ----------
    name : str
        Key of :data:`asd.encoders.published.PUBLISHED`.
    given : Path
        The published file, if it is here already. None: downloaded.

    Returns
    -------
    Path
        A safetensors file with the network's own names.

    Raises
    ------
    UserError
        Where no address answers, or the file is another one, changed, cut off, or carries code.
    """
    entry, folder = known(name), home(name)
    if is_own(name):
        return _own(name, given)
    if given is None and is_here(name):
        return _trusted(name, folder)
    file = Path(given) if given else _downloaded(name, entry, folder / entry.file)
    sha256 = verify(name, file)
    save_tensors(converted(name, file), folder / CONVERTED)
    content = {"file": entry.file, "sha256": sha256, "converted": _sha256(folder / CONVERTED)}
    write_json(folder / RECORD, content)
    if not given:
        file.unlink()
    return folder / CONVERTED


def is_own(name: str) -> bool:
    """Tell whether an encoder is ours: its weights have the network's own names, and come with the package."""
    return OWN in PUBLISHED[name].addresses


def _own(name: str, given: Path | None) -> Path:
    """Give the weights of one of our encoders: those of the package, verified, or any file of its network."""
    if given is not None:
        if not given.is_file():
            raise UserError(f"{given} is missing: give the path of weights of {name}, or random")
        return given
    if not is_here(name):
        trained = sorted(other for other in PUBLISHED if is_own(other) and is_here(other))
        raise UserError(f"{name} has no trained weights: say weights: random; those have some: {', '.join(trained)}")
    file = OWN_FOLDER / PUBLISHED[name].file
    verify(name, file)
    return file


def weights_of(params: EncoderBlock) -> Path | None:
    """Find the initial weights that a block of ``encoders:`` asks for; None: random ones."""
    if not isinstance(params, PublishedEncoder) or params.weights == "random":
        return None
    return get(params.architecture, None if params.weights == "published" else Path(params.weights))


def known(name: str) -> Published:
    """Find a published encoder.

    Raises
    ------
    UserError
        Where there is none of that name.
    """
    if name not in PUBLISHED:
        raise UserError(f"{name} is no published encoder: one of {', '.join(sorted(PUBLISHED))}")
    return PUBLISHED[name]


def verify(name: str, file: Path) -> str:
    """Compare a file with the size and the sha256 that are known, or that were recorded at the first download.

    Parameters
    ----------
    name : str
        Of a published encoder.
    file : Path

    Returns
    -------
    str
        Its sha256.

    Raises
    ------
    UserError
        Where it is missing, cut off or another one.
    """
    entry = known(name)
    if not file.is_file():
        raise UserError(f"{file} is missing: give the path of {entry.file}")
    size = file.stat().st_size
    if entry.size and size < entry.size:
        raise UserError(f"{file} is cut off: it has {size} of {entry.size} bytes of {name}: get it again")
    sha256, wanted = _sha256(file), expected(name)
    if wanted and sha256 != wanted:
        raise UserError(f"{file} is not {name}: its sha256 is {sha256}, that of {entry.file} {wanted}: get it again")
    return sha256


def expected(name: str) -> str | None:
    """Give the sha256 that an encoder's file must have: the published or the recorded one; None: not known yet."""
    record = home(name) / RECORD
    return PUBLISHED[name].sha256 or (str(read_json(record)["sha256"]) if record.is_file() else None)


def converted(name: str, file: Path) -> dict[str, torch.Tensor]:
    """Read a published file, running nothing of it, and name its tensors as the network does; all must fit.

    Parameters
    ----------
    name : str
        Of a published encoder.
    file : Path

    Returns
    -------
    dict of str to Tensor
        In float32.
    """
    with torch.device("meta"):
        network = create_encoder(name)
    tensors = to_own(PUBLISHED[name], _read_foreign(file), str(file))
    check_fit(network, tensors, str(file))
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def to_own(entry: Published, content: Mapping[str, Any], where: str) -> dict[str, torch.Tensor]:
    """Name the tensors of a published file as the network does.

    Parameters
    ----------
    entry : Published
    content : mapping
        The content of the file.
    where : str
        The file, for messages.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    UserError
        Where the file is not laid out like that.
    """
    try:
        tensors = entry.own_names(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where} is not laid out as the published file ({error}): download it again") from None
    if strange := [name for name, value in tensors.items() if not isinstance(value, torch.Tensor)]:
        raise UserError(f"{where}: {strange[0]} is no tensor: these are other weights")
    return tensors


def _read_foreign(file: Path) -> Mapping[str, Any]:
    """Read a safetensors file or a pickle of tensors.

    Raises
    ------
    UserError
        Where it is broken, or carries anything but tensors and plain values: nothing in it is run.
    """
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{file} is refused: it carries more than tensors, or is broken; nothing of it was run"
        ) from None
    except Exception as error:  # broken bytes make the readers raise anything
        kind = type(error).__name__
        raise UserError(f"{file} can't be read, it is broken or cut off ({kind}): get it again") from None
    if not isinstance(content, Mapping):
        raise UserError(f"{file} holds no tensors by name: these are other weights")
    return content


def _trusted(name: str, folder: Path) -> Path:
    """Compare the converted weights with their record."""
    record = read_json(folder / RECORD)
    if record["converted"] != _sha256(folder / CONVERTED) or expected(name) != record["sha256"]:
        raise UserError(f"{folder / CONVERTED} was changed since it was made: delete {folder} and get {name} again")
    return folder / CONVERTED


def _downloaded(name: str, entry: Published, file: Path) -> Path:
    """Download from the first address that gives the file whole."""
    digest = f"sha256:{entry.sha256}" if entry.sha256 else ""
    refusals = []
    for address in entry.addresses:
        url = f"{address}/{entry.file}"
        with progress("download", "B", entry.size) as bar:
            try:
                fetch(url, file, digest, bar.update)
                return file
            except UserError as error:
                refusals.append(str(error))
    raise UserError(
        f"{name}: {refusals[-1]}; or get {entry.file} from {url}, sha256 {expected(name) or 'not known'}, by other"
        f" means and say python -m asd weights get {name} --from FILE"
    )


def _sha256(file: Path) -> str:
    return digest_of(file, "sha256").removeprefix("sha256:")
