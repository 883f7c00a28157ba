"""What the reason names mean that are not the gate's: the rows of troubleshooting.md's tables.

The gate's own rows are in ``localloop.readiness``, because the command prints them. A test compares
all of them with the names that the sources can raise, table by table.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A reason name, what happened, and what to do about it (empty: nothing)."""

    name: str
    meaning: str
    next_step: str = ""


FAILED = (
    # Docker and the tools
    Row(
        "docker_unreachable",
        "Docker does not answer, or your user may not open its socket",
        "Start Docker (`make tools` on Debian), or join the group `docker`.",
    ),
    Row(
        "docker_error",
        "Docker refused a request",
        "The message is Docker's own: fix what it names.",
    ),
    Row(
        "tool_missing",
        "docker, kind, helm, kubectl or mmdebstrap is not on PATH",
        "Install it; `make tools` does on Debian.",
    ),
    Row(
        "tool_timeout",
        "a tool did not end in time and was stopped",
        "Run again. If it happens again, run that tool by hand to see where it hangs.",
    ),
    Row(
        "disk_full",
        "Docker's disk, or the registry's, is full; the message says how much is free",
        "Free some space: `docker system df`, `docker builder prune`, `localloop prune`.",
    ),
    Row(
        "state_unwritable",
        "localloop's state directory cannot be written",
        "Make it writable, or set `XDG_STATE_HOME` to a directory that is.",
    ),
    # The cluster
    Row(
        "kind_failed",
        "`kind` could not create or delete the cluster",
        "The message has kind's own error, and the command that repeats it.",
    ),
    Row(
        "cluster_not_ready",
        "the nodes did not become Ready in time; the message says what is missing",
        "Look at the node (`docker logs NAME-control-plane`), or recreate the cluster.",
    ),
    Row(
        "port_taken",
        "a port of `cluster.ports` is in use, or none from 27000 to 27999 is free",
        "Stop what listens there (`ss -ltnp`), or change `cluster.ports`.",
    ),
    Row(
        "node_image_missing",
        "`cluster.node_image`, or that of `kind_config`, is not there and cannot be pulled",
        "Build or pull it, or leave it out.",
    ),
    Row(
        "api_port_taken",
        "the port chosen for the API server is in use, or none from 26000 to 26999 is free",
        "Stop what listens there (`ss -ltnp`), or choose another `cluster_api_port`.",
    ),
    Row(
        "registry_not_repaired",
        "localloop's registry was created anew, and still does not serve this host and every node",
        "The message has the container's state, networks and last logs, and what the nodes saw.",
    ),
    Row(
        "registry_port_taken",
        "`registry.port` is in use, or no port from 25000 to 25999 is free",
        "Stop what listens there (`ss -ltnp`), or choose another port.",
    ),
    Row(
        "kubeconfig_missing",
        "the cluster's node has not written a kubeconfig",
        "`docker logs` of the node says why; `localloop bootstrap --recreate --force` replaces it.",
    ),
    Row(
        "kubeconfig_unwritable",
        "your own kubeconfig cannot be written",
        "Make it writable, or name another file with `KUBECONFIG`.",
    ),
    Row(
        "base_image_failed",
        "the base image of the cluster's images could be neither pulled nor made",
        "The message holds the last lines of mmdebstrap or Docker: fix what they name.",
    ),
    Row(
        "image_build_failed",
        "an image that the cluster consists of could not be built",
        "The message holds the build's last lines and the command to run it by hand.",
    ),
    Row(
        "exec_plugin_failed",
        "the exec plugin of the context is missing, failed, hung, or printed no credentials;"
        " exit 2 if nothing has changed yet",
        "The message has its own words: log in again, or install it.",
    ),
    Row(
        "apiserver_untrusted",
        "the certificate of what answers at the API server's address does not fit the kubeconfig",
        "Fetch the kubeconfig again if the cluster was made anew or its certificate renewed.",
    ),
    Row(
        "record_unwritable",
        "the namespace for the cluster's record cannot be created",
        "The message is the API server's: give the kubeconfig's user that right.",
    ),
    Row(
        "api_*",
        "the API server refused a request; the rest of the name is its own reason (`api_conflict`)",
        "The message is the API server's: fix what it names.",
    ),
    # Building
    Row(
        "build_failed",
        "a step of a Dockerfile, or the command of a `build:`, failed",
        "Fix what its last lines name. All of them: `.cache/localloop/build/bake.log`, or"
        " `…/build/NAME/command.log` of a command.",
    ),
    Row(
        "base_image_missing",
        "a base image is not in Docker and cannot be pulled",
        "`docker pull` or `docker load` it, or choose another.",
    ),
    Row(
        "need_not_published",
        "an image needs another one that is not a target, and the registry does not have it",
        "Name that one as a target too, or deploy without targets.",
    ),
    Row(
        "unhashed_arg_failed",
        "the command of one of the `unhashed_args` failed",
        "Run it by hand in the project's directory.",
    ),
    Row(
        "secret_missing",
        "a build's secret is not set, not readable or too large",
        "Set the variable or make the file readable, or remove it from `secrets`.",
    ),
    Row(
        "ssh_agent_missing",
        "a build asks for ssh and `SSH_AUTH_SOCK` is not set",
        "Start an agent (`eval $(ssh-agent); ssh-add`), or remove `ssh`.",
    ),
    Row(
        "image_not_left",
        "the command of a `build:` succeeded without leaving the image that `$LOCALLOOP_IMAGE`"
        " names",
        "Let it tag or push that name.",
    ),
    Row(
        "image_not_loaded",
        "a node, or Docker where the nodes share its store, did not take an image in two tries;"
        " nothing was released",
        "The message has what was said; see the node's disk and `crictl images` there, or `docker"
        " system df`.",
    ),
    Row(
        "image_pulled_before",
        "a node pulled the same image under another name earlier, so its kubelet (1.35 and newer)"
        " insists on pulling it; nothing was released",
        "The message has the command that makes the kubelet forget it.",
    ),
    Row(
        "image_platform",
        "what was built is for another platform than the cluster's nodes",
        "Remove `platform:` in `localloop.yml` and `--platform` from the last stage's `FROM`; let"
        " a command build for `$LOCALLOOP_PLATFORM`.",
    ),
    Row(
        "image_taken",
        "three times in a row the image was removed from Docker's store before it was pushed: by a"
        " prune, or by another build of the same bytes that was cancelled",
        "Run again while nothing prunes images.",
    ),
    Row(
        "builder_lost",
        "the connection to Docker or the registry broke in three tries",
        "Check that both run, then run again.",
    ),
    Row(
        "build_without_digest",
        "BuildKit succeeded but reported no digest",
        "Run again; if it happens again, look at the builder (`docker buildx inspect`).",
    ),
    # The registry
    Row(
        "push_failed",
        "Docker could not push an image",
        "The message is Docker's own: fix what it names, then run again.",
    ),
    Row(
        "push_lost",
        "the registry does not have what was just pushed",
        "Run again.",
    ),
    Row(
        "registry_unreachable",
        "the registry does not answer",
        "Run again: a deploy starts or repairs its own registry. `docker logs` of its container"
        " says more.",
    ),
    Row(
        "registry_error",
        "the registry answered with an error",
        "Check that nothing else listens on its port, then run again. `docker logs` of its"
        " container says more.",
    ),
    Row(
        "registry_corrupt",
        "the registry's disk returns other bytes than were pushed, and pushing again did not help",
        "Check the disk; the message has the two commands that start with an empty registry.",
    ),
    Row(
        "registry_lost",
        "the registry no longer has the image of a node file",
        "Run again: the deploy builds what is missing.",
    ),
    Row(
        "prune_failed",
        "the registry's garbage collection failed",
        "Run `localloop prune` again.",
    ),
    # Node files
    Row(
        "file_not_exported",
        "the export stage does not contain the file that `file` names",
        "Copy it there in the Dockerfile, or correct `file`.",
    ),
    Row(
        "node_file_damaged",
        "a node holds other bytes than were sent to it",
        "Run again; if it happens again, check the node's disk.",
    ),
    Row(
        "put_failed",
        "a command on the node failed while a node file was put",
        "The message has the command, its output and a command to look at the place.",
    ),
    Row(
        "reconcile_failed",
        "the replacement of a pod that uses a node file did not become ready within"
        " `reconcile.timeout`",
        "Look at that pod, then run again: the remaining pods are pending and will be restarted.",
    ),
    # Charts
    Row(
        "release_failed",
        "Helm failed, a hook of the chart failed, or Helm did not end within `readiness.timeout`"
        " and 60 s",
        "The message has Helm's words, the hook and its last lines; *Evidence* has all of them."
        " Fix the hook, or bound it with `activeDeadlineSeconds`.",
    ),
    Row(
        "uninstall_failed",
        "`helm uninstall` failed, or a hook that it runs failed or hung",
        "The message names the hook: fix or delete it, then run `localloop down` again.",
    ),
    Row(
        "helm_failed",
        "`helm version` failed",
        "Run it by hand; reinstall Helm if it fails there too.",
    ),
    Row(
        "release_gone",
        "a Helm release, or its revision, disappeared during the run",
        "Run again.",
    ),
    Row(
        "release_undecodable",
        "Helm's Secret of the newest revision is damaged",
        "Delete that one Secret with the command in the message, then deploy.",
    ),
    Row(
        "manifest_unreadable",
        "Helm has rendered something that is not a Kubernetes object",
        "Correct the chart: `helm get manifest` shows what was rendered.",
    ),
    Row(
        "first_install_failed",
        "the first install of a chart with install hooks failed. Installing it anew would run them,"
        " but the release has a PersistentVolumeClaim or keeps values, which could be lost",
        "If they may be lost, uninstall it with the command in the message, then deploy.",
    ),
    Row(
        "changed_by_hand",
        "somebody changed an object of the chart while it was deployed (scaled a workload, edited a"
        " field), so that the cluster does not run this tree; the message names the fields",
        "Run the deploy again: it puts this right.",
    ),
    Row(
        "crd_failed",
        "what a chart has in `crds/` could not be applied, or is not usable (its names are taken)",
        "The message is the server's own: fix what it names.",
    ),
    Row(
        "crds_unreadable",
        "what a chart has in `crds/` cannot be read",
        "Correct what the message names: `helm show crds` has to work for this chart.",
    ),
    Row(
        "field_immutable",
        "the chart changes a field that cannot change once the object exists (Jobs and bare Pods"
        " are replaced automatically)",
        "Undo the change, or delete the object with the command in the message.",
    ),
    Row(
        "not_deleted",
        "a Job or Pod that has to be replaced does not go away",
        "Look for its finalizers with `kubectl get -o yaml`.",
    ),
    Row(
        "namespace_terminating",
        "the chart's namespace was still being deleted after `readiness.timeout`",
        "The message says what holds it: remove that, or use another namespace.",
    ),
    Row(
        "deploy_hook_failed",
        "a command under `hooks` failed or took too long",
        "Its last lines are in the message: fix the command, or raise its `timeout`.",
    ),
    # The run itself
    Row(
        "config_moved",
        "`localloop.yml` changed during the run",
        "Run again.",
    ),
    Row(
        "journal_unwritable",
        "the run's journal cannot be written",
        "Free some space, or set `DEPLOY_REPORT_DIR` to a writable directory.",
    ),
    Row(
        "reports_unwritable",
        "the directory for reports cannot be created",
        "Make it writable, or set `DEPLOY_REPORT_DIR` to one that is.",
    ),
    Row(
        "report_unwritable",
        "the report cannot be written; it is printed instead",
        "Free some space, or set `DEPLOY_REPORT_DIR` to a writable directory.",
    ),
    Row(
        "library_missing",
        "a Python library is missing on the host that runs a module",
        "Install it for the interpreter that `ansible_python_interpreter` names.",
    ),
    Row(
        "task_failed",
        "a task that is not one of localloop's modules failed",
        "The message is the task's own: fix what it names.",
    ),
    Row(
        "playbook_failed",
        "the playbook failed and no step said why",
        "The message names the task: fix what it says, then run again.",
    ),
    Row(
        "playbook_aborted",
        "ansible-playbook ended before its last task",
        "Its own output says why.",
    ),
    Row(
        "ansible_runner_failed",
        "ansible-runner ended without a result",
        "Run again. If it happens again, please report it with the message.",
    ),
    Row(
        "gate_internal",
        "a watch of the gate ended by a defect of localloop",
        "Run again, and please report it with the message.",
    ),
    Row(
        "record_without_proof",
        "localloop was about to record what no later plan could check: a defect",
        "Please report it. Nothing was recorded: the next deploy observes what runs.",
    ),
    Row(
        "defect",
        "localloop met an error that it does not handle: a defect",
        "Run again, and please report it with the message.",
    ),
    # Baselines
    Row(
        "baseline_failed",
        "at least one step of the baseline failed; the others were measured",
        "The markdown file says what each one said.",
    ),
    Row(
        "command_failed",
        "a command of `baseline.steps` failed",
        "Its last lines are in the markdown file: fix the command.",
    ),
    Row(
        "command_not_run",
        "a command of `baseline.steps` cannot be started",
        "Check that it exists and is executable.",
    ),
    Row(
        "deploy_failed",
        "the deploy that a baseline measures failed",
        "Run `localloop deploy`: it says more.",
    ),
    Row(
        "scope_not_emptied",
        "the caches of an earlier cold run cannot be removed",
        "Remove the folder in the message by hand.",
    ),
    Row(
        "baseline_unwritable",
        "the baseline's files cannot be written",
        "Make the directory writable, or choose another with `--output-dir`.",
    ),
)
"""Exit code 1."""

REFUSED = (
    # The configuration
    Row(
        "config_missing",
        "there is no `localloop.yml` here or in any directory above",
        "Write one ([configuration](configuration.md)), or use `--project DIR`.",
    ),
    Row(
        "config_unreadable",
        "`localloop.yml` cannot be read",
        "Correct its permissions.",
    ),
    Row(
        "config_invalid",
        "a key or value is wrong",
        "The message names line, column and the nearest valid word, or the variable.",
    ),
    Row(
        "profile_unknown",
        "there is no profile of that name",
        "The message has the nearest one.",
    ),
    Row(
        "unknown_target",
        "there is no component of that name",
        "The message has the nearest one.",
    ),
    Row(
        "path_outside",
        "a configured path leads out of the project through a link",
        "Move what it points to into the project.",
    ),
    # Inputs
    Row(
        "input_missing",
        "a file, a directory or what a pattern names is not there",
        "Create it, or correct the key that names it.",
    ),
    Row(
        "input_unreadable",
        "an input cannot be read",
        "Correct its permissions, or leave it out with the ignore file.",
    ),
    Row(
        "input_invalid",
        "a manifest, a values file or a file of a chart is not what Helm and Kubernetes can read",
        "The message names the file, the line and what is wrong there.",
    ),
    Row(
        "kustomize_failed",
        "`kubectl kustomize` failed",
        "The message is kubectl's own: fix what it names.",
    ),
    Row(
        "crd_version_stored",
        "a CustomResourceDefinition in a chart's `crds/` no longer has a version in which objects"
        " may be stored",
        "Keep the version (`served: false`), or migrate its objects and take it off"
        " `status.storedVersions`; the message has the command.",
    ),
    Row(
        "crd_refused",
        "the API server would refuse an edit under a chart's `crds/`",
        "The message is the server's own: fix what it names.",
    ),
    Row(
        "dependency_circle",
        "charts depend on each other in a circle, by `file://`",
        "The message names the charts: remove one of these dependencies.",
    ),
    Row(
        "dependencies_failed",
        "Helm cannot build a chart's dependencies: a version that the lock file does not allow,"
        " a repository that does not answer",
        "The message is Helm's own; `helm dependency update CHART` resolves them anew.",
    ),
    Row(
        "input_special",
        "an input is a FIFO, a socket or a device, or stopped being a file while it was read",
        "Remove it, or leave it out with the ignore file.",
    ),
    Row(
        "input_name",
        "an input's name is not UTF-8, which no build context can hold",
        "Rename it, or leave it out with the ignore file.",
    ),
    Row(
        "input_link_loop",
        "a symbolic link leads back to itself",
        "Remove the link.",
    ),
    Row(
        "input_link_outside",
        "a symbolic link leads out of the build context or the chart's project",
        "Copy what it points to inside, or make the context wider.",
    ),
    Row(
        "ignore_pattern_invalid",
        "a line of an ignore file, or a pattern under `inputs`, cannot be read",
        "The message has the pattern: correct it.",
    ),
    Row(
        "target_unknown",
        "the Dockerfile cannot be read, or has no stage of that name",
        "The message has the line, or the stages that there are.",
    ),
    Row(
        "cache_symlink",
        "`.cache/localloop` is, or lies behind, a symbolic link",
        "Remove the link.",
    ),
    # Builders and tools
    Row(
        "builder_unknown",
        "buildx has no builder of that name",
        "`docker buildx ls` lists them.",
    ),
    Row(
        "builder_unfit",
        "the builder cannot push to the registry",
        "Use another `builder`, or create one with the command in the message"
        " ([builders](configuration.md#builders)).",
    ),
    Row(
        "docker_host_refused",
        "Docker is reached over the network",
        "Use a local socket: `DOCKER_HOST=unix:///var/run/docker.sock`.",
    ),
    Row(
        "tool_missing",
        "this run needs Helm (for a chart), Docker's client with its buildx plugin (for a"
        " Dockerfile) or kind (for a new cluster), and it is not there",
        "`make tools` on Debian, or install [Helm](https://helm.sh/docs/intro/install/),"
        " [buildx](https://github.com/docker/buildx#installing) or"
        " [kind](https://kind.sigs.k8s.io/docs/user/quick-start/#installation).",
    ),
    Row(
        "tool_too_old",
        "the run needs Helm 3.18.4 or newer (`:helm`), or buildx 0.12 or newer (`:buildx`)",
        "`make tools` on Debian, or install [Helm](https://helm.sh/docs/intro/install/) or"
        " [buildx](https://github.com/docker/buildx#installing).",
    ),
    # The cluster
    Row(
        "not_there_yet",
        "the cluster provider does not exist yet",
        "Use `provider: kind`, or leave it out; or name a context (`cluster.context`).",
    ),
    Row(
        "provider_retired",
        "`provider: bundled` names the hand-made node of localloop 0.1",
        "Use `provider: kind`, or leave it out; `localloop down --cluster` removes the old one.",
    ),
    Row(
        "cluster_not_ours",
        "there is a kind cluster of that name which localloop did not create; or something was"
        " asked of the cluster of `cluster.context` that is done to clusters of localloop only",
        "The message has the line that uses it; or choose another name (`CLUSTER_NAME`).",
    ),
    Row(
        "cluster_unreachable",
        "the API server of `cluster.context` does not answer; the message names the node that is"
        " stopped or paused, where one is found",
        "Start that cluster, or correct `cluster.context`.",
    ),
    Row(
        "cluster_nodes_unreadable",
        "the user of `cluster.context` may not list the cluster's nodes",
        "Give it the verb list on nodes, or name another context.",
    ),
    Row(
        "cluster_platforms",
        "the cluster of `cluster.context` has nodes of several platforms",
        "Use a cluster whose nodes are of one kind.",
    ),
    Row(
        "node_files_unreachable",
        "the project has node files, and nodes of `cluster.context` are no containers of this"
        " Docker",
        "Use a cluster whose nodes run in this Docker, or ship the file in an image.",
    ),
    Row(
        "no_image_route",
        "no image can reach the nodes of `cluster.context`; the message has what is against each"
        " way",
        "Name a registry (`registry.host`), or use a cluster whose nodes run in this Docker.",
    ),
    Row(
        "node_not_wireable",
        "a node of `cluster.context` cannot be made to pull from localloop's registry"
        " (`registry.route: ours`): its containerd does not read `/etc/containerd/certs.d`, asks a"
        " proxy, or has somebody else's `hosts.toml` for that address",
        "Load images (`registry.route: load`), or mend what the message says.",
    ),
    Row(
        "pull_policy_unserved",
        "an `imagePullPolicy` of one of the project's images can never start a pod: `Always` where"
        " images are loaded, `Never` where nodes pull them",
        "Use `imagePullPolicy: IfNotPresent`.",
    ),
    Row(
        "program_missing",
        "a program that a command of `localloop.yml` names is not on PATH",
        "Install it, or correct the command; the message says which one.",
    ),
    Row(
        "values_invalid",
        "a chart's values are not what its `values.schema.json` allows",
        "The message is Helm's own: correct `values`, the profile or the values file.",
    ),
    Row(
        "image_tag_unpublished",
        "a chart to release names one of the project's images by a tag that the registry does not"
        " have (`latest`); the message has the object",
        "Use `$NAME.ref`, `.tag` or `.semver` in the chart's values.",
    ),
    Row(
        "registry_advertised_unusable",
        "the ConfigMap `kube-public/local-registry-hosting` is broken; the message has the field",
        "Mend it, name a registry (`registry.host`), or load images (`registry.route: load`).",
    ),
    Row(
        "registry_unusable",
        "no registry answers where the cluster or `registry.host` says, or a node does not get from"
        " it what was pushed to it; the message has the node",
        "Mend it (docs/clusters.md), or load images (`registry.route: load`).",
    ),
    Row(
        "registry_host_refused",
        "the registry that the cluster advertises is not on this machine's loopback",
        "Name another registry (`registry.host`), or load images (`registry.route: load`).",
    ),
    Row(
        "registry_not_prunable",
        "the images are in a registry that is not localloop's, and `prune` removes nothing there",
        "Remove old images as that registry's documentation says.",
    ),
    Row(
        "kubernetes_unavailable",
        "there is no node image for that `cluster.kubernetes`, or `node_image` is of another",
        "Choose one of the versions in [the table](clusters.md#its-node-image), or name an image.",
    ),
    Row(
        "runtime_refused",
        "Podman, nerdctl or rootless Docker answers where that does not work",
        "Use Docker as root, or, in rootless Docker, a `kindest/node` image.",
    ),
    Row(
        "node_image_unusable",
        "`cluster.node_image`, or that of `kind_config`, is no image of a kind node",
        "Name a `kindest/node` image, or one that `kind build node-image` made.",
    ),
    Row(
        "port_address_missing",
        "`cluster.ports` publishes a port on an address that this machine does not have",
        "Choose one that `ip address` lists, 127.0.0.1, or 0.0.0.0 for all of them.",
    ),
    Row(
        "kind_config_unsupported",
        "the node image that is built here lacks something that `cluster.kind_config` asks for",
        "Name a `kindest/node` image as `image` of every node in it, or change the file.",
    ),
    Row(
        "image_missing",
        "the module `kind_cluster` was asked to create a cluster without `image`",
        "Take it from `kind_node_image`.",
    ),
    Row(
        "value_command_failed",
        "a command that a chart value comes from failed",
        "Run it in the project's directory; the message has what it said.",
    ),
    Row(
        "registry_not_ours",
        "a container with the registry's name was not made by localloop",
        "Remove or rename it, or set `CLUSTER_NAME`.",
    ),
    Row(
        "cluster_exists",
        "`bootstrap` found a cluster, and there is no terminal to ask what to do with it",
        "`--reuse-ok` keeps it; `--recreate` replaces it.",
    ),
    Row(
        "not_answered",
        "`bootstrap` asked what to do with the cluster and got no answer",
        "Answer `reuse` or `recreate`, or pass `--reuse-ok` or `--recreate`.",
    ),
    Row(
        "cluster_shared",
        "other projects or releases are in the cluster that is to be removed",
        "`--force` removes it with them.",
    ),
    Row(
        "cluster_unseen",
        "the cluster that is to be removed does not run, so what else is in it is unknown",
        "`localloop deploy` starts it; `--force` removes it unseen.",
    ),
    Row(
        "no_cluster",
        "there is no cluster, so it has no kubeconfig",
        "`localloop bootstrap` creates it.",
    ),
    Row(
        "context_not_ours",
        "your kubeconfig has a context with the cluster's name that belongs to another cluster",
        "Rename that context with the command in the message.",
    ),
    Row(
        "cluster_not_local",
        "the API server is neither on loopback nor on a virtual network of this machine",
        "Choose another context, or add the line in the message (`cluster.allow_server`).",
    ),
    Row(
        "context_missing",
        "the kubeconfig lacks the context, cluster or user",
        "The message has the names that there are.",
    ),
    Row(
        "kubeconfig_missing",
        "there is no such kubeconfig, or it cannot be read",
        "Correct `cluster.kubeconfig` or `KUBECONFIG`.",
    ),
    Row(
        "kubeconfig_invalid",
        "the kubeconfig is damaged",
        "The message says where. Our cluster's is fetched again once you delete it.",
    ),
    Row(
        "kubeconfig_ambiguous",
        "two kubeconfig files define a cluster or user of the context differently",
        "Name one of the files (`cluster.kubeconfig`), or rename one of the two.",
    ),
    Row(
        "kubeconfig_proxy",
        "`proxy-url` in the kubeconfig is no URL of an HTTP or SOCKS proxy",
        "Correct it.",
    ),
    Row(
        "kubeconfig_credential_plugin",
        "the kubeconfig gets its credentials from an `auth-provider`",
        "Give the context an exec plugin, a client certificate or a token.",
    ),
    Row(
        "exec_not_allowed",
        "the kubeconfig gets its credentials from a program",
        "Add the line in the message (`cluster.allow_exec`), or use a certificate or a token.",
    ),
    Row(
        "cluster_replaced",
        "another cluster answers under the context than the one that was deployed to",
        "If it was made anew and is meant, run the command in the message.",
    ),
    Row(
        "exec_plugin_interactive",
        "the exec plugin of the context always asks on a terminal",
        "Log in with it first; if it then asks nothing, set `interactiveMode: IfAvailable`.",
    ),
    # The record and the releases
    Row(
        "record_schema",
        "the cluster's record was written by a newer localloop",
        "Use that one, or a newer one.",
    ),
    Row(
        "record_of_another_project",
        "the record belongs to another project",
        "Give this project another name.",
    ),
    Row(
        "record_unreadable",
        "the record in the cluster is damaged",
        "Delete it with the command in the message; the next deploy releases each chart once.",
    ),
    Row(
        "release_not_ours",
        "a Helm release of that name belongs to something else",
        "Choose another `release` name, or take it over with `adopt: true`.",
    ),
    # Going back, and looking
    Row(
        "unknown_transaction",
        "`rollback` does not know a state of that transaction",
        "The message lists those it knows.",
    ),
    Row(
        "nothing_before",
        "there is no earlier state to go back to",
        "Each deploy that became ready is one: `localloop history`.",
    ),
    Row(
        "revision_gone",
        "Helm no longer has the revision that `rollback` needs",
        "Check out the sources of that transaction and deploy them.",
    ),
    Row(
        "registry_lost",
        "the registry no longer has an image that `rollback` needs",
        "Check out the sources of that transaction and deploy them.",
    ),
    Row(
        "no_report",
        "there is no such report",
        "`localloop history` lists them.",
    ),
    Row(
        "nothing_to_measure",
        "the project has no image, no node file and no baseline step",
        "Add `baseline.steps`, or measure the deploy with `--with-deploy`.",
    ),
    # The call
    Row(
        "bad_report_dir",
        "the directory for reports or baselines is neither absolute nor inside the project",
        "Choose one that is.",
    ),
    Row(
        "bad_transaction_id",
        "`DEPLOY_TX_ID` is not a valid id",
        "Use 1 to 63 letters, digits, `-`, `_` or `.`, a letter or digit at both ends.",
    ),
    Row(
        "transaction_exists",
        "there is already a report of that transaction",
        "Give each run its own `DEPLOY_TX_ID`, or leave it unset.",
    ),
    Row(
        "no_transaction",
        "a step that changes the cluster was called outside a transaction",
        "Use `localloop deploy` or one of the playbooks; a play of your own sets"
        " `localloop_command: deploy` in its vars.",
    ),
    Row(
        "not_exclusive",
        "a step that needs the cluster for itself was called in a run that shares it",
        "Use `localloop` or one of the playbooks; a play of your own sets in its vars"
        " `localloop_command: prune`, or `down` with `down_cluster: true`.",
    ),
    Row(
        "bad_keep",
        "`keep` of `image_prune` is negative",
        "It is the number of images that stay: 0 or more.",
    ),
    Row(
        "unknown_command",
        "a play's `localloop_command` is not a command",
        "The message lists the commands.",
    ),
    Row(
        "unknown_answer",
        "`localloop_bootstrap` is not an answer",
        "It is `auto`, `reuse` or `recreate`.",
    ),
    Row(
        "ansible_option",
        "an option of `ansible-playbook` would run one of localloop's playbooks in part",
        "Leave it out; `--limit COMPONENT` deploys some components.",
    ),
    Row(
        "ansible_variable",
        "a variable of Ansible's, or its inventory, would change how the playbook runs",
        "Unset what the message names.",
    ),
    Row(
        "conflicting_parameters",
        "a task was given parameters that exclude each other; the message names them",
        "Leave one of them out.",
    ),
    Row(
        "plan_mismatch",
        "`deploy_plan` was handed a plan of another run, or of another request than its parameters",
        "Leave `made` or `built` out: the plan is then made here.",
    ),
    Row(
        "plan_unreadable",
        "a step was given something that is not a plan, or `deploy_plan` a file without one",
        "Pass the `plan` in another step's result; leave `made` out, it is for `localloop` alone.",
    ),
    Row(
        "unexpected_data",
        "a filter was given data that it is not for; the message says what it lacks",
        "`ansible-doc -t filter NAME` says what the filter takes.",
    ),
)
"""Exit code 2."""

BUSY = (
    Row(
        "locked",
        "another run holds the lock; the message names its pid and transaction",
        "Wait for it, or end it.",
    ),
    Row(
        "tool_still_running",
        "a Helm of a killed run is still at work, and did not end while this run waited",
        "Wait for it, or end it.",
    ),
    Row(
        "cluster_moved",
        "something else changed the cluster after this run planned",
        "Run again: it plans from what is there now.",
    ),
    Row(
        "record_moved",
        "another checkout of the project deployed meanwhile",
        "Run again: it plans from what is there now.",
    ),
    Row(
        "release_pending",
        "a Helm that localloop did not start is at work on the release, or died over it",
        "Run again when it is done; if it is dead, use the command in the message first.",
    ),
    Row(
        "run_gone",
        "the command that opened this transaction was killed",
        "Run again: it observes what was done and continues.",
    ),
    Row(
        "kubeconfig_locked",
        "kubectl or kind is changing your kubeconfig, or was killed over it",
        "Run again; if nothing is at work, remove the lock file that the message names.",
    ),
)
"""Exit code 75."""

INTERRUPTED = (
    Row(
        "interrupted",
        "Ctrl-C, or SIGTERM",
        "Run again: it observes what was done and continues.",
    ),
)
"""Exit code 130."""

WAITING = (
    Row("missing", "the object does not exist"),
    Row("terminating", "the object is being deleted"),
    Row("not_observed", "its controller has not seen the newest version yet"),
    Row("not_updated", "not all pods are of the newest revision"),
    Row("old_pods", "pods of older revisions remain"),
    Row("wrong_count", "there are more or fewer pods than asked for"),
    Row("not_ready", "not all pods, or the custom resource itself, are ready"),
    Row("not_available", "pods have not been ready for `minReadySeconds`"),
    Row("not_progressed", "the Deployment's rollout is not complete"),
    Row("too_young", "ready, but not for `readiness.stable_for` yet"),
    Row("job_running", "a Job has not completed"),
    Row("suspended", "a Job is suspended"),
    Row("pod_ended", "a bare Pod that should run for ever has ended"),
    Row("on_delete", "pods must be deleted by hand: the update strategy is `OnDelete`"),
    Row("not_bound", "a claim has no volume"),
    Row("not_established", "a CustomResourceDefinition is not served yet"),
    Row("reconciling", "a custom resource's controller is still at work on it"),
    Row("no_cluster_ip", "a Service has no address in the cluster"),
    Row("no_ingress", "a Service of type LoadBalancer has no address"),
    Row("no_endpoints", "no ready pod is behind a Service"),
)
"""Of an object that the gate still waits for."""

CLUSTER = (
    Row("cluster_missing", "there are no nodes", "creates the cluster"),
    Row("cluster_half_made", "a create was killed", "removes what it left, creates the cluster"),
    Row("cluster_incomplete", "the control plane is gone", "creates the cluster again"),
    Row("cluster_never_started", "the control plane never started", "creates it again"),
    Row("cluster_stopped", "the control plane is stopped", "starts the nodes"),
    Row("node_stopped", "a worker is stopped", "starts it"),
    Row("cluster_paused", "a node is paused", "lets it go on"),
    Row(
        "cluster_starting",
        "a node was restarted within the last minute, and its pods are still those of before",
        "waits until they have started again",
    ),
    Row("cluster_dead", "Docker could not remove a node completely", "restarts it"),
    Row("cluster_restarting", "Docker keeps restarting a node", "restarts it"),
    Row(
        "cluster_not_answering",
        "the nodes run, and the API server does not answer",
        "waits 30 s, then restarts the control plane, once",
    ),
    Row(
        "cluster_lacks",
        "the cluster lacks a node, port, mount or version that `localloop.yml` asks for",
        "replaces the cluster, as for `cluster_inputs_changed`",
    ),
    Row(
        "cluster_inputs_changed",
        "files under `cluster.inputs` changed",
        "replaces the cluster; with others in it: exit 1, and the message has the two commands to"
        " choose from",
    ),
    Row("recreate_requested", "`bootstrap --recreate`", "replaces the cluster"),
    Row("registry_missing", "there is no registry container", "creates it"),
    Row("registry_stopped", "the registry is stopped", "starts it"),
    Row("registry_port_taken", "something else took a stopped registry's port", "replaces it"),
    Row("registry_wrong_port", "it is published on another port or address", "replaces it"),
    Row("registry_proxy_mode", "it is a proxy of another registry", "replaces it"),
    Row("registry_wrong_network", "it is not on the cluster's network", "replaces it"),
    Row("registry_paused", "it is paused", "replaces it"),
    Row("registry_dead", "Docker could not remove it completely", "replaces it"),
    Row("registry_restarting", "Docker keeps restarting it", "replaces it"),
    Row("registry_not_starting", "it was started, and does not run", "replaces it"),
    Row("registry_not_answering", "it does not answer within two seconds", "replaces it"),
    Row(
        "registry_refuses_pushes",
        "it answers, but takes no pushes: a proxy by its configuration, in maintenance, or its"
        " volume's directory is gone",
        "replaces it",
    ),
    Row("registry_not_reached", "a running node does not reach it by its name", "replaces it"),
    Row("registry_not_ours", "localloop did not create the container of its name", "is refused"),
)
"""Of our cluster and its registry; the third column says what a deploy does."""

RECONCILE = (
    Row("pod_not_ready", "the replacement of a pod was not ready in time"),
    Row("apiserver_unreachable", "the API server stopped answering"),
)
"""Of a reconcile that stopped: ``FILE_reconcile_failure_reason``."""

PLANNED = (
    Row("full", "`--full` was given"),
    Row("targeted", "you named the component"),
    Row("required_by", "a chart that you named needs this image, and the registry lacks it"),
    Row("never_built", "neither the record nor the registry knows the image"),
    Row("never_deployed", "the component was never deployed here"),
    Row("inputs_changed", "its inputs changed since the recorded deploy; the brackets name them"),
    Row("inputs_same", "its inputs are those of the last deploy from this checkout"),
    Row("chart_changed", "the chart or its values changed since the recorded deploy"),
    Row("registry_lost", "the registry no longer has what the record names"),
    Row("consumes", "an image that the chart uses is built in this run"),
    Row("image_changed", "the chart is to run another digest than it does"),
    Row("image_dropped", "the chart no longer uses that image"),
    Row(
        "drift",
        "the cluster is not as the record left it: an object was changed or removed, or Helm has"
        " another revision",
    ),
    Row("pods_run_another_digest", "running pods are not of the image that was deployed"),
    Row("release_missing", "Helm has no such release"),
    Row("release_not_deployed", "Helm has the release in another status than `deployed`"),
    Row("unsettled", "an earlier run did not become ready, or did not finish a put"),
    Row("settling", "an earlier run did everything but the gate"),
    Row("not_ready", "everything is deployed, but not ready now; the brackets name the object"),
    Row("node_lost", "a node no longer holds the file"),
    Row(
        "node_lacks_image",
        "a node (or Docker, where the nodes share its store) does not hold an image that is loaded",
    ),
    Row("node_changed", "a node holds other bytes than were put"),
    Row("pending", "pods still use the earlier bytes of a node file"),
    Row("record_missing", "the cluster's record does not know what is deployed"),
    Row("cluster_recreated", "the cluster is new"),
    Row("rollback", "the transaction that `rollback` goes back to"),
    Row("prune", "how many images `prune` removes"),
    Row("down", "the release that `down` removes, or that it goes with the cluster"),
)
"""Why a step is planned, or what is known of a component that could not be checked."""

SKIPPED = (
    Row("unchanged", "proven: what runs is what this tree would deploy"),
    Row("in_registry", "the registry has an image with this fingerprint from an earlier build"),
    Row("not_targeted", "you named other components"),
    Row("digest_already_deployed", "the build gave the bytes that run already"),
    Row("unchecked", "the cluster could not be asked; the reason says what the inputs tell"),
    Row("kept", "`down` leaves images in the registry and files on the nodes"),
    Row("not_deployed", "nothing of the component is deployed, so `down` has nothing to remove"),
    Row("release_not_ours", "`down` leaves the release, since something else owns it by now"),
    Row("cluster_missing", "there is no cluster, so nothing is deployed"),
    Row("nothing_to_prune", "all images of the component are in use or among the newest"),
)
"""Why a component has no step."""
