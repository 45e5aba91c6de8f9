#!/usr/bin/env python3
"""Rewrites an image archive so that it depends on its content alone: normalize.py ARCHIVE

Buildah names the containers that it built with (their ids, host names, the image in between) in the image's
configuration; they differ each time. The format is that of `docker save`: layers, configuration, manifest.json.
"""

import hashlib
import io
import json
import sys
import tarfile


def main(path):
    with tarfile.open(path) as archive:
        read = lambda name: archive.extractfile(name).read()
        [image] = json.loads(read("manifest.json"))
        config = json.loads(read(image["Config"]))
        layers = {name: read(name) for name in image["Layers"]}
    for key in ("container", "parent", "container_config"):
        config.pop(key, None)
    config["config"].pop("Hostname", None)
    for step in config["history"]:
        if step.get("comment", "").startswith("FROM "):
            del step["comment"]
    text = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    image["Config"] = hashlib.sha256(text).hexdigest() + ".json"
    manifest = json.dumps([image], sort_keys=True, separators=(",", ":")).encode()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in [*sorted(layers.items()), (image["Config"], text), ("manifest.json", manifest)]:
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(data), 0o444
            archive.addfile(about, io.BytesIO(data))


if __name__ == "__main__":
    main(sys.argv[1])
