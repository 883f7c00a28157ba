"""``cluster`` of ``localloop.yml``: nodes, ports, mounts, versions and a file of kind's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localloop.config.model import ClusterConfig, Mount, Port
from localloop.config.project import load_project
from localloop.errors import UsageError

HEAD = "version: 1\nproject: demo\n"
LOCAL = "127.0.0.1"


def read(root: Path, text: str, **environ: str) -> ClusterConfig:
    (root / "localloop.yml").write_text(HEAD + text)
    return load_project(root, environ=environ).cluster


def fail(root: Path, text: str, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(root, text, **environ)
    assert caught.value.exit_code == 2
    return caught.value


def test_nothing_is_asked_for_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, "") == ClusterConfig(name="demo")


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = read(
        tmp_path,
        "cluster:\n"
        "  nodes: 3\n  ports: [8080:30080, 30081]\n"
        "  mounts: [./data:/data, /etc/hosts:/x/hosts:ro]\n"
        '  kubernetes: "1.37"\n  node_image: kindest/node:v1.37.0\n',
    )
    assert found == ClusterConfig(
        name="demo",
        nodes=3,
        ports=(Port(LOCAL, 8080, 30080, "tcp"), Port(LOCAL, None, 30081, "tcp")),
        mounts=(
            Mount(tmp_path / "data", "/data", False),
            Mount(Path("/etc/hosts"), "/x/hosts", True),
        ),
        kubernetes="1.37",
        node_image="kindest/node:v1.37.0",
    )


PORTS = [
    ("30080", Port(LOCAL, None, 30080, "tcp")),
    ("30053/udp", Port(LOCAL, None, 30053, "udp")),
    ("8080:30080", Port(LOCAL, 8080, 30080, "tcp")),
    ("8080:30080/tcp", Port(LOCAL, 8080, 30080, "tcp")),
    ("9:9/sctp", Port(LOCAL, 9, 9, "sctp")),
    ("0.0.0.0:8080:30080", Port("0.0.0.0", 8080, 30080, "tcp")),
    ("192.168.1.7::30080", Port("192.168.1.7", None, 30080, "tcp")),
    ("192.168.1.7:30080", Port("192.168.1.7", None, 30080, "tcp")),
    ("65535:1", Port(LOCAL, 65535, 1, "tcp")),
]


@pytest.mark.parametrize(("text", "port"), PORTS)
def test_a_port(tmp_path: Path, text: str, port: Port) -> None:
    for written in (f"'{text}'", text):
        assert read(tmp_path, f"cluster:\n  ports:\n  - {written}\n").ports == (port,)


NOT_A_PORT = [
    ("''", "is not valid"),
    ("http", "is not valid"),
    (":30080", "is not valid"),
    ("'8080:'", "is not valid"),
    ("'::1:8080:30080'", "is not valid"),
    ("'[::1]:8080:30080'", "is not valid"),
    ("localhost:8080:30080", "is not valid"),
    ("8080:30080/http", "is not valid"),
    ("8000-8010:8000-8010", "is not valid"),
    ("-5", "is not a port"),
    ("2.0", "is not a port"),
    ("true", "must be text or an integer"),
    ("{a: b}", "must be text or an integer"),
    ("256.0.0.1:8080:30080", "is not an IPv4 address"),
    ("0", "not between 1 and 65535"),
    ("65536:80", "not between 1 and 65535"),
    ("80:70000", "not between 1 and 65535"),
    ("0:80", "not between 1 and 65535"),
]


@pytest.mark.parametrize(("text", "message"), NOT_A_PORT)
def test_not_a_port(tmp_path: Path, text: str, message: str) -> None:
    error = fail(tmp_path, f"cluster:\n  ports:\n  - 1:1\n  - {text}\n")
    assert (error.reason, error.where) == ("config_invalid", "localloop.yml:6:5")
    assert message in error.message
    if "is not valid" in message:
        assert error.hint and "8080:30080" in error.hint


CLASHES = [
    ("8080:80", "8080:81", True),
    ("8080:80", "0.0.0.0:8080:81", True),
    ("0.0.0.0:8080:81", "192.168.1.7:8080:80", True),
    ("127.0.0.2:8080:80", "8080:80", False),
    ("8080:80", "8080:80/udp", False),
    ("8080:80", "8081:80", False),
    ("80", "80", True),
    ("80", "8080:80", False),
    ("80", "80/udp", False),
]


@pytest.mark.parametrize(("one", "other", "clash"), CLASHES)
def test_one_port_twice(tmp_path: Path, one: str, other: str, clash: bool) -> None:
    for first, second in ((one, other), (other, one)):
        text = f"cluster:\n  ports:\n  - {first}\n  - {second}\n"
        if clash:
            error = fail(tmp_path, text)
            assert error.where == "localloop.yml:6:5"
            assert f"the same port as '{first}'" in error.message
        else:
            assert len(read(tmp_path, text).ports) == 2


def test_the_registrys_port_is_taken(tmp_path: Path) -> None:
    registry = "registry: {port: 5001}\n"
    error = fail(tmp_path, registry + "cluster: {ports: [8080:80, '0.0.0.0:5001:80']}\n")
    assert "the same port as registry.port" in error.message
    assert read(tmp_path, registry + "cluster: {ports: ['5001:80/udp', 5001]}\n").ports


def test_where_a_mount_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/models").mkdir(parents=True)
    project = tmp_path / "project"
    (project / "data/inner").mkdir(parents=True)
    (project / "link").symlink_to("data")
    (tmp_path / "beside").write_text("x")
    found = read(
        project,
        "cluster:\n  mounts:\n  - data:/a\n  - ./data/inner/..:/b/\n  - ../beside:/c//d\n"
        f"  - ~/models:/e:ro\n  - {project}/data:/f\n  - link:/g\n",
    )
    data = project / "data"
    assert found.mounts == (
        Mount(data, "/a", False),
        Mount(data, "/b", False),
        Mount(tmp_path / "beside", "/c/d", False),
        Mount(tmp_path / "home/models", "/e", True),
        Mount(data, "/f", False),
        Mount(project / "link", "/g", False),
    )


NOT_A_MOUNT = [
    ("data", "is not valid"),
    ("data:/a:rw", "is not valid"),
    ("'data:'", "is not valid"),
    ("':/a'", "is not valid"),
    ("data:a", "must be an absolute path"),
    ("data:/a/../b", "'..' is not allowed"),
    ("missing:/a", "is missing"),
    ("/missing:/a", "/missing does not exist"),
    ("~unknown-user/x:/a", "no such home directory"),
    ("'" + "x" * 300 + ":/a'", "is missing"),
    ("data:/tmp", "is a tmpfs"),
    ("data:/tmp/x", "is a tmpfs"),
    ("data://tmp/x", "is a tmpfs"),
    ("data:/run/x", "is a tmpfs"),
    ("data:/var/run/x", "is a tmpfs"),
    ("data:/", "in use"),
    ("data:/etc", "in use"),
    ("data:/etc/localloop", "in use"),
    ("data:/var", "in use"),
    ("data:/usr/", "in use"),
    ("data:/lib/modules", "in use"),
    ("data:/proc/x", "in use"),
    ("data:/sys", "in use"),
    ("data:/etc/localloop/mine", "in use"),
    ("data:/first", "already a mount at /first"),
    ("data:/first/", "already a mount at /first"),
    ("other:/first:ro", "already a mount at /first"),
]


@pytest.mark.parametrize(("text", "message"), NOT_A_MOUNT)
def test_not_a_mount(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "other").mkdir()
    error = fail(tmp_path, f"cluster:\n  mounts:\n  - data:/first\n  - {text}\n")
    assert (error.reason, error.where) == ("config_invalid", "localloop.yml:6:5")
    assert message in error.message
    if "tmpfs" in message:
        assert error.hint and "outside /tmp and /run" in error.hint


@pytest.mark.parametrize("place", ["/tmpx", "/runner/x", "/var/lib/x", "/etc/localloop-of-mine"])
def test_a_name_that_only_begins_like_a_tmpfs(tmp_path: Path, place: str) -> None:
    assert read(tmp_path, f"cluster: {{mounts: ['.:{place}']}}\n").mounts[0].node == place


NODE_FILE = "node_files:\n  tool: {dockerfile: D, file: f, dest: %s}\n"


@pytest.mark.parametrize("dest", ["/tmp/tool", "/run/tool", "/var/run/x/tool"])
def test_a_node_file_on_a_tmpfs(tmp_path: Path, dest: str) -> None:
    error = fail(tmp_path, NODE_FILE % dest)
    assert error.where == "localloop.yml:4:40"
    assert "tmpfs on every node" in error.message


def test_a_node_file_in_a_mount(tmp_path: Path) -> None:
    error = fail(tmp_path, NODE_FILE % "/opt/x/tool" + "cluster: {mounts: ['.:/opt:ro']}\n")
    assert error.where == "localloop.yml:4:40"
    assert "the mount at /opt is read-only" in error.message
    assert read(tmp_path, NODE_FILE % "/opt/x/tool" + "cluster: {mounts: ['.:/opt']}\n").mounts
    assert read(tmp_path, NODE_FILE % "/opt2/tool" + "cluster: {mounts: ['.:/opt:ro']}\n").mounts


@pytest.mark.parametrize("text", ["1.37", "1.9"])
def test_an_unquoted_version_is_a_number(tmp_path: Path, text: str) -> None:
    error = fail(tmp_path, f"cluster: {{kubernetes: {text}}}\n")
    assert error.where == "localloop.yml:3:23"
    assert "must be text, not a number" in error.message
    assert error.hint == f'write "{text}"'


@pytest.mark.parametrize("text", ["1.37.2", "v1.37", "1", "2.0", "latest", "1.37 ", ""])
def test_not_a_minor_version(tmp_path: Path, text: str) -> None:
    error = fail(tmp_path, f"cluster: {{kubernetes: '{text}'}}\n")
    assert error.where == "localloop.yml:3:23"
    assert error.hint == "write it like '1.37'"


def test_a_version_whose_zero_counts(tmp_path: Path) -> None:
    assert read(tmp_path, "cluster: {kubernetes: '1.30'}\n").kubernetes == "1.30"


@pytest.mark.parametrize("nodes", ["0", "-1", "1.5", "'3'", "101"])
def test_not_a_number_of_nodes(tmp_path: Path, nodes: str) -> None:
    assert fail(tmp_path, f"cluster: {{nodes: {nodes}}}\n").where == "localloop.yml:3:18"


def test_a_name_that_no_node_could_have(tmp_path: Path) -> None:
    long, longest = "a" * 45, "a" * 44
    assert read(tmp_path, f"cluster: {{name: {longest}}}\n").name == longest
    assert read(tmp_path, f"cluster: {{name: {long}}}\n", CLUSTER_NAME="short").name == "short"
    error = fail(tmp_path, f"cluster: {{name: {long}}}\n")
    assert (error.where, "45 characters" in error.message) == ("localloop.yml:3:17", True)
    assert fail(tmp_path, "", CLUSTER_NAME=long).where == "CLUSTER_NAME"
    (tmp_path / "localloop.yml").write_text(f"version: 1\nproject: {long}\n")
    with pytest.raises(UsageError) as caught:
        load_project(tmp_path, environ={})
    assert caught.value.where == "localloop.yml:2:10"
    assert caught.value.hint and "cluster: {name: " in caught.value.hint
    assert load_project(tmp_path, environ={"CLUSTER_NAME": "short"}).cluster.name == "short"


@pytest.mark.parametrize(
    "text", ["cluster: {context: c, kubeconfig: ~unknown-user/x}\n",
             "images:\n  i: {dockerfile: D, secrets: {s: {file: ~unknown-user/x}}}\n"]
)  # fmt: skip
def test_an_unknown_home_directory(tmp_path: Path, text: str) -> None:
    assert "no such home directory" in fail(tmp_path, text).message


# --- kind_config ---------------------------------------------------------------------------------

KIND = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings: &ports
  - {containerPort: 30080, hostPort: 8080}
- role: worker
  labels: {tier: yes, zone: 1.10}
  extraMounts: &mounts
  - {hostPath: data, containerPath: /data}
- role: worker
  extraMounts: *mounts
networking:
  podSubnet:
"""


def test_a_file_of_kind(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/kind.yaml").write_text(KIND)
    found = read(tmp_path, "cluster: {kind_config: deploy/kind.yaml}\n")
    mounts = [{"hostPath": str(tmp_path / "data"), "containerPath": "/data"}]
    assert found.kind_config == tmp_path / "deploy/kind.yaml"
    assert found.kind_document == {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [
            {
                "role": "control-plane",
                "extraPortMappings": [{"containerPort": 30080, "hostPort": 8080}],
            },
            {"role": "worker", "labels": {"tier": "yes", "zone": "1.10"}, "extraMounts": mounts},
            {"role": "worker", "extraMounts": mounts},
        ],
        "networking": {},
    }


def test_merge_keys(tmp_path: Path) -> None:
    text = (
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- &one\n"
        "  labels: {x: y}\n- <<: *one\n  role: worker\n  labels: {x: z}\n- *one\n"
    )
    (tmp_path / "k.yaml").write_text(text)
    found = read(tmp_path, "cluster: {kind_config: k.yaml}\n").kind_document["nodes"]
    first = {"labels": {"x": "y"}}
    assert found == [first, {"labels": {"x": "z"}, "role": "worker"}, first]


@pytest.mark.parametrize("key", ["nodes: 1", "ports: [80]", "mounts: ['.:/x']",
                                 "kubernetes: '1.37'", "node_image: x"])  # fmt: skip
def test_a_file_of_kind_says_everything(tmp_path: Path, key: str) -> None:
    (tmp_path / "k.yaml").write_text(KIND)
    error = fail(tmp_path, f"cluster:\n  kind_config: k.yaml\n  {key}\n")
    assert error.where == "localloop.yml:5:3"
    assert error.message == f"{key.partition(':')[0]} cannot be combined with kind_config"


def test_a_file_of_kind_that_is_not_there(tmp_path: Path) -> None:
    for text in ("k.yaml", ".", "x" * 300):
        error = fail(tmp_path, f"cluster: {{kind_config: {text}}}\n")
        assert (error.where, "there is no file" in error.message) == ("localloop.yml:3:24", True)


TYPE = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"
NOT_KINDS = [
    ("", "k.yaml:1:1", "must be a mapping"),
    ("[]", "k.yaml:1:1", "must be a mapping"),
    ("kind: Cluster\n", "k.yaml:1:1", "needs the key 'apiVersion'"),
    ("apiVersion: kind.x-k8s.io/v1alpha4\n", "k.yaml:1:1", "needs the key 'kind'"),
    ("kind: Cluster\napiVersion: v1\n", "k.yaml:2:13", "must be kind.x-k8s.io/v1alpha4"),
    (TYPE + "nodes: [\n", "k.yaml:4:1", "not valid YAML"),
    (TYPE + "a: b: c\n", "k.yaml:3:5", "not valid YAML"),
    (TYPE + "---\na: b\n", "k.yaml:3:1", "not valid YAML: but found another document"),
    (TYPE + "kind: Cluster\n", "k.yaml:3:1", "duplicate key 'kind'"),
    (TYPE + "nodes: &a [*a]\n", "k.yaml:3:8", "nested deeper"),
    (TYPE + "? [a]\n: b\n", "k.yaml:3:3", "a key must be a string"),
    (TYPE + "node: []\n", "k.yaml:3:1", "unknown key 'node'"),
    (TYPE + "nodes: 3\n", "k.yaml:3:8", "nodes must be a list"),
    (TYPE + "nodes:\n- role: master\n", "k.yaml:4:9", "must be one of"),
    (TYPE + "nodes:\n- extraMount: []\n", "k.yaml:4:3", "unknown key 'extraMount'"),
    (TYPE + "nodes:\n- extraMounts: [{hostPath: a}]\n", "k.yaml:4:17", "'containerPath'"),
    (TYPE + "nodes:\n- extraPortMappings: [{hostPort: 1}]\n", "k.yaml:4:23", "'containerPort'"),
    (TYPE + "nodes:\n- role: worker\n", "k.yaml", "no node has the role control-plane"),
    (
        TYPE + "nodes:\n- extraPortMappings: [{containerPort: 1, hostPort: 2}]\n- role: worker\n"
        "  extraPortMappings: [{containerPort: 1, hostPort: 2, listenAddress: 0.0.0.0}]\n",
        "k.yaml",
        "publish 0.0.0.0:2/tcp",
    ),
    *(
        (f"{TYPE}nodes:\n- extraMounts: [{{hostPath: a, containerPath: {place}}}]\n", "k.yaml", why)
        for place, why in [
            ("/etc/localloop/owner", "in use"),
            ("//etc/localloop/./owner", "in use"),
            ("/var/", "in use"),
            ("/proc/1", "in use"),
            ("/tmp", "tmpfs"),
            ("data", "absolute"),
            ("/a/../b", "'..'"),
        ]
    ),
    (
        TYPE + "nodes:\n- extraMounts: [{hostPath: a, containerPath: /b}, "
        "{hostPath: c, containerPath: /b/}]\n",
        "k.yaml",
        "two mounts of a node are at /b",
    ),
    (TYPE + "networking: {apiServerAddress: localhost}\n", "k.yaml", "not an IP address"),
    (TYPE + "networking: {podSubnet: 10.244.0.0/33}\n", "k.yaml", "networking.podSubnet: "),
    (TYPE + "networking: {serviceSubnet: ''}\n", "k.yaml:3:29", "serviceSubnet"),
    (
        TYPE + "nodes:\n- extraPortMappings: [{containerPort: 1, listenAddress: eth0}]\n",
        "k.yaml",
        "'eth0' is not an IP address",
    ),
    (TYPE + "kubeadmConfigPatches: ['a: [']\n", "k.yaml:3:24", "not valid YAML"),
    (TYPE + "kubeadmConfigPatches: [text]\n", "k.yaml:3:24", "must be a mapping"),
    (TYPE + "nodes:\n- kubeadmConfigPatches: ['- a']\n", "k.yaml:4:26", "must be a mapping"),
    (
        TYPE + "kubeadmConfigPatchesJSON6902: [{kind: A, patch: 'a: b'}]\n",
        "k.yaml:3:49",
        "a list of operations",
    ),
]


def test_what_kind_takes_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(
        TYPE + "networking: {podSubnet: '10.244.0.0/16,fd00::/56', apiServerAddress: '::1'}\n"
        "kubeadmConfigPatches: ['kind: ClusterConfiguration']\n"
        "kubeadmConfigPatchesJSON6902: [{kind: A, patch: '[{op: remove, path: /a}]'}]\n"
        "nodes:\n- extraMounts: [{hostPath: a, containerPath: /etc/containerd/certs.d/x},"
        " {hostPath: a, containerPath: /var/lib/mine}, {hostPath: a, containerPath: /tmp/mine}]\n"
        "  extraPortMappings: [{containerPort: 1, listenAddress: '::'}]\n"
    )
    assert read(tmp_path, "cluster: {kind_config: k.yaml}\n").kind_document


@pytest.mark.parametrize(("text", "where", "message"), NOT_KINDS)
def test_not_a_file_of_kind(tmp_path: Path, text: str, where: str, message: str) -> None:
    (tmp_path / "k.yaml").write_text(text)
    error = fail(tmp_path, "cluster: {kind_config: k.yaml}\n")
    assert (error.where, error.reason) == (where, "config_invalid")
    assert message in error.message


def test_a_file_of_kind_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_bytes(b"kind: \xff\n")
    assert "not valid YAML" in fail(tmp_path, "cluster: {kind_config: k.yaml}\n").message
    (tmp_path / "k.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    assert "larger than 1 MiB" in fail(tmp_path, "cluster: {kind_config: k.yaml}\n").message


def test_what_is_read_can_be_written_as_json(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(KIND)
    found = read(tmp_path, "cluster: {kind_config: k.yaml}\n").kind_document
    assert json.loads(json.dumps(found)) == found


def test_the_image_of_its_nodes_is_the_node_image(tmp_path: Path) -> None:
    def nodes(*images: str) -> str:
        roles = ["control-plane", *["worker"] * (len(images) - 1)]
        lines = [f"- {{role: {role}{each}}}\n" for role, each in zip(roles, images, strict=True)]
        (tmp_path / "k.yaml").write_text(TYPE + "nodes:\n" + "".join(lines))
        return "cluster: {kind_config: k.yaml}\n"

    assert read(tmp_path, nodes("", "")).node_image is None
    assert read(tmp_path, nodes(", image: x:1", ", image: x:1")).node_image == "x:1"
    for other in ("", ", image: x:2"):
        error = fail(tmp_path, nodes(", image: x:1", other))
        assert "not all of one image" in error.message


# --- A cluster that is there already -------------------------------------------------------------


@pytest.mark.parametrize("text", ["{context: mine}", "{provider: existing, context: mine}"])
def test_a_context(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, f"cluster: {text}\n")
    assert (found.context, found.kubeconfig) == ("mine", None)
    found = read(tmp_path, f"cluster: {text.replace('}', ', kubeconfig: ./k}')}\n")
    assert found.kubeconfig == tmp_path / "k"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cluster: {provider: existing}\n", "needs the context"),
        ("cluster: {kubeconfig: k}\n", "there is no context"),
        ("cluster: {provider: kind, context: c}\n", "takes no context"),
        ("cluster: {context: c, nodes: 2}\n", "nodes is of a cluster that localloop creates"),
        ("cluster: {context: c, ports: ['80']}\n", "ports is of a cluster that localloop creates"),
        ("cluster: {context: c, node_image: i}\n", "node_image is of a cluster"),
        ("cluster: {context: c, kind_config: k}\n", "kind_config is of a cluster"),
        ("registry: {host: 'localhost:5001'}\n", "host is of a cluster that localloop did not"),
        ("registry: {route: load}\n", "route is of a cluster that localloop did not create"),
        ("cluster: {context: c}\nregistry: {host: 'localhost:5001', port: 5001}\n", "port has no"),
        ("cluster: {context: c}\nregistry: {host: 'localhost:1', route: load}\n", "route has no"),
        ("cluster: {context: c}\nregistry: {host: 'registry.example.com:443'}\n", "host"),
        ("cluster: {context: c}\nregistry: {route: mine}\n", "must be one of"),
    ],
)
def test_keys_that_do_not_fit_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    error = fail(tmp_path, text)
    assert says in str(error)
    assert error.where and error.where.startswith("localloop.yml:")


def test_what_is_allowed(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'cluster: {allow_server: ["https://10.1.2.3:6443", http://h/a], allow_exec: [aws, ./x y]}',
    )
    assert found.allow_server == ("https://10.1.2.3:6443", "http://h/a")
    assert found.allow_exec == ("aws", "./x y")


@pytest.mark.parametrize(
    "text",
    [
        "allow_server: https://10.1.2.3",
        "allow_server: [10.1.2.3]",
        "allow_server: ['*']",
        "allow_server: ['https://u:p@h']",
        "allow_server: ['https://']",
        "allow_exec: aws",
        "allow_exec: ['']",
        "allow_exec: [-x]",
        'allow_exec: ["a\\nb"]',
    ],
)
def test_what_cannot_be_allowed(tmp_path: Path, text: str) -> None:
    assert fail(tmp_path, f"cluster: {{{text}}}").reason == "config_invalid"
