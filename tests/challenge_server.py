"""A server on loopback that looks like Zenodo and the organisers' repository, with all years in their real layout."""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import soundfile

from asd.datasets.attributes import table_rows
from asd.datasets.dcase import parse_name
from asd.datasets.years import Archive, archives, years

FOLDER_2021 = re.compile(r"section_\d\d_(source|target)_test_")
PARTS = ["dev", "additional", "eval"]
TRAINING = 3  # clips of a domain, where the organisers' tables name none


@cache
def recording(key: str, channels: int = 1) -> bytes:
    """A short recording that is unlike every other one."""
    noise = np.frombuffer(hashlib.shake_128(key.encode()).digest(1600), "<i2")
    file = io.BytesIO()
    soundfile.write(file, noise.reshape(-1, channels), 16000, "PCM_16", format="WAV")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


class Years:
    """The archives of all years; test clips and hidden training clips by the organisers' own lists."""

    def __init__(self, shared: Path) -> None:
        self.tables = shared / "dcase"

    def archive(self, number: int, archive: Archive) -> bytes:
        names = {"dev": self._dev, "additional": self._additional, "eval": self._eval}[archive.part](
            number, archive.machine
        )
        channels = years()[number].channels
        files = {
            f"{archive.machine}/{place}": recording(f"{number}{archive.machine}{place}", channels) for place in names
        }
        if number > 2020 and archive.part != "eval":
            files[f"{archive.machine}/attributes_00.csv"] = self._attributes(number, archive.machine, names)
        return zipped(files)

    def _dev(self, number: int, machine: str) -> list[str]:
        return self._train(number, machine, "dev") + self._dev_test(number, machine) + self._supplements(number)

    def _additional(self, number: int, machine: str) -> list[str]:
        return self._train(number, machine, "eval") + self._supplements(number)

    def _train(self, number: int, machine: str, split: str) -> list[str]:
        if shown := self._shown(number, split, machine, "train"):
            return [f"train/{name}" for name in shown]
        sections = years()[number].machines[split][machine]
        if number == 2020:
            return [f"train/normal_id_{section}_{i:08d}.wav" for section in sections for i in range(TRAINING)]
        return [
            f"train/section_{section}_{domain}_train_normal_{i:04d}_{self._told(machine, i)}.wav"
            for section in sections
            for domain in ("source", "target")
            for i in range(TRAINING)
        ]

    def _told(self, machine: str, index: int) -> str:
        return f"car_A{index}_spd_28V_mic_1_noise_1" if machine == "ToyCar" else f"vel_{index}"

    def _dev_test(self, number: int, machine: str) -> list[str]:
        if shown := self._shown(number, "dev", machine, "test"):
            return [f"test/{name}" for name in shown]
        names = []
        for section in years()[number].machines["dev"][machine]:
            for label in ("normal", "anomaly"):
                if number == 2020:
                    names += [f"test/{label}_id_{section}_{i:08d}.wav" for i in range(2)]
                    continue
                for domain in ("source", "target"):
                    folder = f"{domain}_test" if number == 2021 else "test"
                    names += [f"{folder}/section_{section}_{domain}_test_{label}_{i:04d}_vel_{i}.wav" for i in range(2)]
        return names

    def _supplements(self, number: int) -> list[str]:
        if number != 2025:
            return []
        return [
            "supplemental/section_00_machine_0001_.wav",
            "supplemental/section_00_noise_source_0000_noAttribute.wav",
        ]

    def _eval(self, number: int, machine: str) -> list[str]:
        given = [name for name, *_ in self.truth(number, machine)]
        folders = [f"{match[1]}_test" if (match := FOLDER_2021.match(name)) else "test" for name in given]
        return [f"{folder}/{name}" for folder, name in zip(folders, given, strict=True)]

    def truth(self, number: int, machine: str) -> list[tuple[str, str, str, int]]:
        """Name, section, domain and label of every clip of an evaluation set: the evaluator's, else the list's."""
        if number == 2026:  # made up
            cells = [(domain, anomaly) for domain in ("source", "target") for anomaly in (0, 1)]
            return [(f"section_00_{i:04d}.wav", "00", *cells[i % 4]) for i in range(8)]
        names = [(given, parse_name(true)) for given, true in self.listed(number)[machine]]
        clips = [(given, true.section, true.domain, int(bool(true.anomaly))) for given, true in names]
        folder = self.tables / f"ground_truth_{number}"
        flags = [self._flags(folder / kind, machine) for kind in ("data", "domain")]
        if not flags[0]:
            return clips
        return [(name, section, ("source", "target")[flags[1][name]], flags[0][name]) for name, section, *_ in clips]

    def _flags(self, folder: Path, machine: str) -> dict[str, int]:
        lines = [line for file in folder.glob(f"*_{machine}_section_*.csv") for line in file.read_text().splitlines()]
        return {name: int(flag) for name, flag in (line.split(",") for line in lines)}

    def ground_truth(self, number: int) -> dict[str, bytes]:
        """The files of that year's evaluator, as its patterns name them; true names are the list's."""
        evaluator, files = years()[number].evaluator, {}
        assert evaluator is not None
        for machine, sections in years()[number].machines["eval"].items():
            for section in sections:
                clips = [clip for clip in self.truth(number, machine) if clip[1] == section]
                data = "".join(f"{name},{anomaly}\n" for name, _, _, anomaly in clips)
                domain = "".join(f"{name},{int(domain == 'target')}\n" for name, _, domain, _ in clips)
                texts = (data, domain, self._true_names(number, machine, section, clips))
                names = [pattern.format(machine=machine, section=section) for pattern in evaluator.tables]
                files |= {name: text.encode() for name, text in zip(names, texts, strict=True)}
        return files

    def _true_names(self, number: int, machine: str, section: str, clips: list[tuple[str, str, str, int]]) -> str:
        if number == 2026:
            words = ("normal", "anomaly")
            return "".join(f"{n},section_00_{d}_{words[a]}_{i:04d}_vel_{i}\n" for i, (n, _, d, a) in enumerate(clips))
        start = f"section_{section}_"
        rows = [(given, true) for given, true in self.listed(number)[machine] if given.startswith(start)]
        folder = f"{machine}/test"
        return "file_name,d1p,d1v,true\n" + "".join(f"{folder}/{given},a,b,{folder}/{true}\n" for given, true in rows)

    def listed(self, number: int) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        machine = ""
        for line in (self.tables / f"eval_data_list_{number}.csv").read_text(encoding="utf-8-sig").splitlines():
            given, _, true = line.partition(",")
            if true:
                found[machine].append((given, true.partition(",")[0]))
            else:
                found[machine := given] = []
        return found

    def _shown(self, number: int, split: str, machine: str, part: str) -> list[str]:
        folder = self.tables / f"ground_truth_attributes/dcase{number}t2/{split}_data/{machine}"
        table = folder / f"attributes_00_{part}_correspondence.csv"
        return [row[1] for row in table_rows(table)] if table.is_file() else []

    def _attributes(self, number: int, machine: str, names: list[str]) -> bytes:
        """One of the three flavours: names with folders, bare stems, nothing but names."""
        lines = ["file_name,d1p,d1v"]
        for name in names:
            told = re.search(r"_vel_(\d+)\.wav", name)
            file = Path(name).stem if machine.startswith("Toy") else f"{machine}/{name}"
            lines.append(f"{file},vel,{told[1]}" if told else file)
        return "\n".join(lines).encode()


class Server:
    """``/api/records/<id>``, ``/records/<id>/files/<name>`` and ``/raw/<file>``, with range requests and faults.

    Attributes
    ----------
    records : dict
        By record and name: content, or a function that makes it.
    faults : dict
        By archive name: what happens to the next requests: ``cut`` halfway, ``refuse`` ranges, or a status.
    asked : list of str
        The paths asked for.
    """

    def __init__(self) -> None:
        self.records: dict[int, dict[str, bytes | Callable[[], bytes]]] = {}
        self.digests: dict[str, str] = {}
        self.raw: dict[str, bytes] = {}
        self.faults: dict[str, list[str | int]] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def content(self, record: int, name: str) -> bytes:
        found = self.records[record][name]
        if callable(found):
            found = self.records[record][name] = found()
        return found

    def find(self, path: str) -> bytes | None:
        words = path.strip("/").split("/")
        if words[:2] == ["api", "records"] and int(words[2]) in self.records:
            return self.listing(int(words[2]))
        if words[0] == "records" and words[3] in self.records.get(int(words[1]), {}):
            return self.content(int(words[1]), words[3])
        return self.raw.get(path.removeprefix("/raw/"))

    def listing(self, record: int) -> bytes:
        files = []
        for name in self.records[record]:
            content = self.content(record, name)
            digest = self.digests.get(name, hashlib.md5(content).hexdigest())
            files.append({"key": name, "size": len(content), "checksum": f"md5:{digest}"})
        return json.dumps({"id": record, "files": files}).encode()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        content = self.find(request.path)
        name = request.path.rpartition("/")[2]
        fault = self.faults[name].pop(0) if self.faults.get(name) else 200
        if content is None or (isinstance(fault, int) and fault != 200):
            request.send_response(404 if content is None else int(fault))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        first = int(start[1]) if start and fault != "refuse" else 0
        request.send_response(206 if first else 200)
        request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        rest = content[first:]
        request.wfile.write(rest[: len(rest) // 2] if fault == "cut" else rest)
        if fault == "cut":
            request.close_connection = True

    def offer(self, number: int, machines: str, made: Callable[[Archive], bytes]) -> None:
        """Offer a year's archives of some machines."""
        for archive in archives(years()[number], PARTS, machines):
            self.records.setdefault(archive.record, {})[archive.name] = lambda one=archive: made(one)
