"""The image, put together from the Dockerfile's final stage and the files that its build stage left.

No engine and no base image are needed, and nothing of the moment or the place goes in: the same files give the same
digest wherever this runs. What comes out is an OCI image layout (image-spec v1.1) with the `manifest.json` that
`docker load` asks for, so that tests, `docker` and registries take one and the same thing.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import pathlib
import shlex
import tarfile
import time

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

MEDIA = "application/vnd.oci.image."
LAYER, CONFIG, MANIFEST, INDEX = (
    MEDIA + kind for kind in ("layer.v1.tar+gzip", "config.v1+json", "manifest.v1+json", "index.v1+json")
)


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions; continued lines are joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages(text: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The instructions of the build stage, and of the final one."""
    parsed = instructions(text)
    last = max(at for at, (word, _) in enumerate(parsed) if word == "FROM")
    return parsed[:last], parsed[last:]


def described(final: list[tuple[str, str]]) -> dict:
    """What the final stage says of itself. Anything that can't be said here is an error, and nothing is passed over."""
    assert final[0] == ("FROM", "scratch"), "the final stage has a base image"
    assert [word for word, _ in final].count("COPY") == 1, "the final stage copies once"
    found: dict = {"Labels": {}}
    for word, rest in final[1:]:
        if word == "LABEL":
            found["Labels"] |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "ENTRYPOINT":
            found["Entrypoint"] = json.loads(rest)
        elif word == "COPY":
            assert shlex.split(rest) == ["--from=build", "/src/target/image-files/", "/"], rest
        else:
            raise AssertionError(f"`{word}` of the final stage is not known to scripts/container/image.py")
    return found


@dataclasses.dataclass
class Blob:
    """A part of the image by the digest of its content."""

    kind: str
    content: bytes

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        return "blobs/" + self.digest.replace(":", "/")

    def descriptor(self, **more) -> dict:
        return {"mediaType": self.kind, "digest": self.digest, "size": len(self.content), **more}


def as_json(kind: str, value: dict) -> Blob:
    return Blob(kind, json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def entry(name: str, epoch: int, **how) -> tarfile.TarInfo:
    """An entry of an archive: root's, and of the given moment."""
    found = tarfile.TarInfo(name)
    found.mtime = epoch
    found.uid = found.gid = 0
    for key, value in how.items():
        setattr(found, key, value)
    return found


def layer(files: pathlib.Path, epoch: int) -> bytes:
    """The one layer, not packed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files.iterdir()):
            if path.is_symlink():
                tar.addfile(entry(path.name, epoch, type=tarfile.SYMTYPE, linkname=str(path.readlink()), mode=0o777))
            else:
                content = path.read_bytes()
                tar.addfile(entry(path.name, epoch, size=len(content), mode=0o755), io.BytesIO(content))
    return out.getvalue()


@dataclasses.dataclass
class Image:
    """An image for one kind of machine."""

    architecture: str
    layer: Blob
    config: Blob
    manifest: Blob
    size_bytes: int

    @classmethod
    def of(cls, dockerfile: str, files: pathlib.Path, machine: str, epoch: int) -> "Image":
        """The image of the files that were built for `machine` (as `uname -m` has it), dated `epoch`."""
        architecture = ARCHITECTURES[machine]
        plain = layer(files, epoch)
        packed = Blob(LAYER, gzip.compress(plain, 9, mtime=0))
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
        config = as_json(CONFIG, {
            "architecture": architecture,
            "config": described(stages(dockerfile)[1]),
            "created": created,
            "history": [{"created": created, "created_by": "COPY /src/target/image-files/ /"}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
        })
        manifest = as_json(MANIFEST, {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [packed.descriptor()],
        })
        size = sum(path.stat().st_size for path in files.iterdir() if not path.is_symlink())
        return cls(architecture, packed, config, manifest, size)


def index(images: list[Image]) -> Blob:
    """The one name for the images of all kinds of machines: what a registry's tag points to."""
    return as_json(INDEX, {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [one.manifest.descriptor(platform={"architecture": one.architecture, "os": "linux"})
                      for one in sorted(images, key=lambda one: one.architecture)],
    })


def archive(images: list[Image], tag: str, path: pathlib.Path, epoch: int) -> str:
    """Writes the images into one file and returns the digest that a registry will know them by.

    `docker load` takes the first of them, under `tag`.
    """
    top = index(images)
    first = images[0]
    found = {blob.path: blob.content for one in images for blob in (one.layer, one.config, one.manifest)} | {top.path: top.content}
    found["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    annotations = {"org.opencontainers.image.ref.name": tag.rpartition(":")[2]}
    found["index.json"] = as_json(INDEX, {"schemaVersion": 2, "mediaType": INDEX,
                                          "manifests": [top.descriptor(annotations=annotations)]}).content
    found["manifest.json"] = json.dumps([{"Config": first.config.path, "RepoTags": [tag], "Layers": [first.layer.path]}]).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(found):
            tar.addfile(entry(name, epoch, size=len(found[name]), mode=0o644), io.BytesIO(found[name]))
    return top.digest
