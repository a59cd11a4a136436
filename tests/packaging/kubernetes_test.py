"""The Kubernetes manifests fit the API's own schemas, fit each other, and say what docs/operations.md promises.

Runs in build/venv: kubernetes-validate brings the schemas of the API version named below.
"""

import copy
import pathlib
import re
import unittest

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION = "kustomization.yaml"
API_VERSION = "1.33"


def read(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text())


def default_of(option: str) -> str:
    """As the README's table has it, which is compared with the program's own help elsewhere."""
    (value,) = re.findall(rf"^\| `{option}` \| (\S+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return value


def validate(manifest: dict) -> None:
    kubernetes_validate.validate(manifest, API_VERSION, strict=True)


class KubernetesManifests(unittest.TestCase):
    def setUp(self):
        self.names = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != KUSTOMIZATION)
        self.deployment = read("deployment.yaml")
        self.service = read("service.yaml")
        self.pod = self.deployment["spec"]["template"]
        (self.container,) = self.pod["spec"]["containers"]

    def test_each_fits_its_schema(self):
        self.assertGreaterEqual(len(self.names), 3)
        for name in self.names:
            with self.subTest(name):
                validate(read(name))

    def test_the_schema_check_can_fail(self):
        spoilt = []
        for path, value in [(("spec", "selector"), None), (("spec", "replicas"), "two"), (("spec", "replica"), 2)]:
            manifest = copy.deepcopy(self.deployment)
            if value is None:
                del manifest[path[0]][path[1]]
            else:
                manifest[path[0]][path[1]] = value
            spoilt.append(manifest)
        for manifest in spoilt:
            with self.assertRaises(kubernetes_validate.ValidationError):
                validate(manifest)

    def test_kustomization_names_every_manifest(self):
        kustomization = read(KUSTOMIZATION)
        self.assertEqual(sorted(kustomization["resources"]), self.names)
        self.assertIn(self.container["image"], [image["name"] for image in kustomization["images"]])

    def test_selectors_find_the_pods(self):
        labels = self.pod["metadata"]["labels"].items()
        selectors = [self.deployment["spec"]["selector"]["matchLabels"], self.service["spec"]["selector"],
                     read("poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"]]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels)

    def test_ports_agree(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        for port in self.service["spec"]["ports"]:
            self.assertIn(port["targetPort"], ports)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertEqual(self.container[probe]["grpc"]["port"], ports["grpc"], probe)
        annotations = self.pod["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], str(ports["metrics"]))

    def test_ports_are_the_programs_own(self):
        ports = {port["name"]: str(port["containerPort"]) for port in self.container["ports"]}
        self.assertEqual(ports, {"grpc": default_of("--port"), "metrics": default_of("--metrics-port")})
        dockerfile = (ROOT / "Dockerfile").read_text()
        self.assertEqual(re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE), [f"{ports['grpc']} {ports['metrics']}"])
        prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
        self.assertEqual(prometheus["scrape_configs"][0]["static_configs"], [{"targets": [f"localhost:{ports['metrics']}"]}])

    def test_services_set_no_variables(self):
        for name in self.names:
            manifest = read(name)
            if "template" in manifest.get("spec", {}):
                self.assertIs(manifest["spec"]["template"]["spec"]["enableServiceLinks"], False, name)

    def test_the_end_fits_into_the_grace_period(self):
        end_ms = int(default_of("--lame-duck-ms")) + int(default_of("--drain-ms"))
        self.assertGreater(1000 * self.pod["spec"]["terminationGracePeriodSeconds"], end_ms)
        # And a probe notices the lame duck before it dies.
        probe = self.container["readinessProbe"]
        self.assertGreater(int(default_of("--lame-duck-ms")), 1000 * probe["periodSeconds"] * probe["failureThreshold"])

    def test_loading_and_draining_kill_nothing(self):
        for probe in ("startupProbe", "livenessProbe"):
            self.assertEqual(self.container[probe]["grpc"]["service"], "liveness", probe)
        self.assertNotIn("service", self.container["readinessProbe"]["grpc"])

    def test_headless(self):
        self.assertEqual(self.service["spec"]["clusterIP"], "None")

    def test_confined(self):
        self.assertTrue(self.pod["spec"]["securityContext"]["runAsNonRoot"])
        self.assertEqual(self.pod["spec"]["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        security = self.container["securityContext"]
        self.assertTrue(security["readOnlyRootFilesystem"])
        self.assertFalse(security["allowPrivilegeEscalation"])
        self.assertEqual(security["capabilities"]["drop"], ["ALL"])
        for kind in ("requests", "limits"):
            self.assertEqual(set(self.container["resources"][kind]), {"cpu", "memory"}, kind)

    def test_user_is_the_images(self):
        dockerfile = (ROOT / "Dockerfile").read_text()
        user = self.pod["spec"]["securityContext"]
        self.assertIn(f"\nUSER {user['runAsUser']}:{user['runAsGroup']}\n", dockerfile)


if __name__ == "__main__":
    unittest.main()
