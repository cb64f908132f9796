"""Small image archives for tests, right ones and hostile ones, written by the standard library's tarfile."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SCRIPTS = {
    f"workspace/run_{task}_{name}.sh": b"#!/bin/sh\n" for task in ("sample", "pixel") for name in ("brain", "abdom")
}


@dataclass(frozen=True)
class Entry:
    """One member of a tar."""

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    pax: Mapping[str, str] = field(default_factory=dict)


def files(content: Mapping[str, bytes]) -> list[Entry]:
    return [Entry(name, body) for name, body in content.items()]


def symlink(name: str, target: str) -> Entry:
    return Entry(name, kind=tarfile.SYMTYPE, link=target)


def hard_link(name: str, target: str) -> Entry:
    return Entry(name, kind=tarfile.LNKTYPE, link=target)


def folder(name: str) -> Entry:
    return Entry(name, kind=tarfile.DIRTYPE)


def tar(entries: Sequence[Entry], *, style: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.name)
            member.type = entry.kind
            member.linkname = entry.link
            member.size = len(entry.content)
            member.pax_headers = dict(entry.pax)
            archive.addfile(member, io.BytesIO(entry.content))
    return out.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Image:
    """An image to be saved; each part can be wrong."""

    layers: list[bytes] = field(default_factory=lambda: [tar(files(SCRIPTS))])
    architecture: str = "amd64"
    system: str = "linux"
    tags: Sequence[str] = ("image:latest",)
    volumes: Sequence[str] = ()
    salt: str = ""  # makes the config, and so the digest, another one

    @property
    def config(self) -> bytes:
        fields = {
            "architecture": self.architecture,
            "os": self.system,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in self.layers]},
            "config": {"Volumes": {path: {} for path in self.volumes}},
            "salt": self.salt,
        }
        return json.dumps(fields).encode()

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.config)}"

    @property
    def entry(self) -> dict[str, object]:
        layers = [f"{sha256(layer)}/layer.tar" for layer in self.layers]
        return {"Config": f"{sha256(self.config)}.json", "RepoTags": list(self.tags), "Layers": layers}

    def members(self) -> list[Entry]:
        """What engine 20.10 writes, without manifest.json."""
        found = {f"{sha256(layer)}/layer.tar": layer for layer in self.layers}
        return [*files(found), Entry(f"{sha256(self.config)}.json", self.config)]

    def save(self) -> bytes:
        """docker save, as engine 20.10 writes it: manifest.json comes last."""
        return tar([*self.members(), Entry("manifest.json", json.dumps([self.entry]).encode())])

    def save_oci(self, *, compressed: bool = False, manifest: bool = True) -> bytes:
        """docker save, as engines from 25 on write it: an OCI layout, and manifest.json beside it."""
        packed = {sha256(layer): gzip.compress(layer) if compressed else layer for layer in self.layers}
        blobs = {f"blobs/sha256/{sha256(body)}": body for body in packed.values()}
        config = f"blobs/sha256/{sha256(self.config)}"
        layers = [f"blobs/sha256/{sha256(packed[sha256(layer)])}" for layer in self.layers]
        entry = {"Config": config, "RepoTags": list(self.tags), "Layers": layers}
        content = {
            **blobs,
            config: self.config,
            "index.json": b'{"schemaVersion": 2}',
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        }
        if manifest:
            content["manifest.json"] = json.dumps([entry]).encode()
        return tar([folder("blobs"), folder("blobs/sha256"), *files(content)])
