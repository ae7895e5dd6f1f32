"""Torchaudio's model code, also beside a torch that its native extension was not built for.

The wheel's extension is linked to CUDA; beside a CPU torch (OSError), or one for another CUDA minor (RuntimeError,
ImportError), importing torchaudio fails, although its models are plain Python. A stand-in for the module that loads
the extension lets them in.
"""

import sys
from types import ModuleType
from typing import Any


def torchaudio_models() -> ModuleType:
    """Import ``torchaudio.models``."""
    try:
        import torchaudio.models
    except (OSError, RuntimeError, ImportError):
        for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _without_extension()
        import torchaudio.models
    return torchaudio.models


def _without_extension() -> ModuleType:
    """Make what ``torchaudio._extension`` gives where it was built without native code."""
    module: Any = ModuleType("torchaudio._extension")
    module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False
    module._check_cuda_version = module._load_lib = lambda *arguments: None
    module.fail_if_no_align = _fails
    return module


def _fails(function: Any) -> Any:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError(f"torchaudio's {function.__name__} needs its native extension, which does not load here")

    return fail
