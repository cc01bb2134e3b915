/** Rows for the keys directly under a service. */
import { never, refused, type SupportSection, supported, warned } from './row.ts'

const WINDOWS = 'it is for Windows containers'
const CPU_HINT = 'use deploy.resources.limits.cpus'
const HOOKS = 'the hook is not run'

/** What runs, and with which settings. */
const PROCESS: SupportSection = {
  image: supported('the image that is run; it makes the runtime docker'),
  command: supported('arguments for the entrypoint; without an image, the program that is run'),
  entrypoint: supported("replaces the image's entrypoint"),
  environment: supported('variables of the container'),
  env_file: supported('files with variables, read here and sent along'),
  working_dir: supported('the working directory'),
  user: supported('the user (and group) that runs it'),
  init: supported('a small init as process 1; true unless said otherwise'),
  labels: supported('labels on the container'),
  label_file: supported('files with labels, read here and sent along'),
  stop_signal: supported('the signal that asks it to stop'),
  stop_grace_period: supported('how long it may take to stop'),
  healthcheck: supported('decides when a replica counts as healthy'),
  restart: supported('shoal restarts what exits, with back-off; always unless said otherwise'),
  scale: supported('the number of replicas, like deploy.replicas'),
  deploy: supported('replicas, resources and placement'),
  ports: supported('ports published on the node that runs a replica'),
  expose: supported('nothing: services of a project reach every port of each other'),
  volumes: supported('named volumes, binds and memory file systems'),
  tmpfs: supported('memory file systems'),
  networks: supported('names within the project; see networks of the file'),
  cpus: supported('cpu limit, like deploy.resources.limits.cpus'),
  mem_limit: supported('memory limit, like deploy.resources.limits.memory'),
  mem_reservation: supported('memory request, like deploy.resources.reservations.memory'),
  'x-shoal': supported('what Compose has no words for')
}

/** Ignored with one line. */
const IGNORED: SupportSection = {
  annotations: warned('no annotations are put on the container', { hint: 'use labels' }),
  attach: warned('no output is attached', { hint: 'use shoal logs', neutral: [true, false] }),
  blkio_config: warned('disk access is not limited'),
  build: {
    ...warned('nothing is built, the image is pulled unless the node has it'),
    hint: 'build it and push it to a registry that the nodes reach',
    atUse: true
  },
  cgroup_parent: warned("the container's cgroup stands where the engine puts it"),
  container_name: warned('containers are named by shoal, one name a replica', {
    hint: 'use the name of the service'
  }),
  cpu_count: warned('cpus are not limited', { hint: CPU_HINT }),
  cpu_percent: warned('cpus are not limited', { hint: CPU_HINT }),
  cpu_period: warned('cpus are not limited', { hint: CPU_HINT }),
  cpu_quota: warned('cpus are not limited', { hint: CPU_HINT }),
  cpu_rt_period: warned('no real-time cpu time is set'),
  cpu_rt_runtime: warned('no real-time cpu time is set'),
  cpu_shares: warned('cpu time is shared evenly', {
    hint: 'use deploy.resources.reservations.cpus'
  }),
  cpuset: warned('it may run on every cpu'),
  depends_on: warned('no order is kept, services start together', {
    hint: 'let the program retry its connections'
  }),
  develop: warned('files are not watched'),
  dns: warned('names are looked up as the node does'),
  dns_opt: warned('names are looked up as the node does'),
  dns_search: warned('names are looked up as the node does'),
  domainname: warned('no domain name is set'),
  external_links: warned('containers of other projects get no name here'),
  extra_hosts: warned('these names are not added'),
  hostname: warned('the host name is set by the engine', { hint: 'use the name of the service' }),
  isolation: warned(WINDOWS, { neutral: ['default'] }),
  links: warned('services reach each other by service name, not by an alias'),
  logging: warned('logs are kept by shoal, 10 MB x 3 a replica', { hint: 'use shoal logs' }),
  mac_address: warned('the address is drawn by the engine'),
  mem_swappiness: warned("swapping is the node's choice"),
  memswap_limit: warned('swap is not limited'),
  oom_kill_disable: warned('the kernel may kill it when memory runs out', { neutral: [false] }),
  oom_score_adj: warned("the kernel's choice is not changed when memory runs out", {
    neutral: [0]
  }),
  pids_limit: warned('the number of processes is not limited', { neutral: [0, -1] }),
  platform: warned("the image of the node's own platform is taken", {
    hint: 'use a constraint on node.platform.arch'
  }),
  post_start: warned(HOOKS),
  pre_stop: warned(HOOKS),
  pull_policy: warned('an image is pulled when the node does not have it', {
    neutral: ['missing', 'if_not_present']
  }),
  pull_refresh_after: warned('an image is pulled when the node does not have it'),
  shm_size: warned('shared memory has the size that the engine gives (64 MiB)'),
  stdin_open: warned('there is no input', { neutral: [false] }),
  storage_opt: warned("the container's disk is not limited"),
  tty: warned('there is no terminal', { neutral: [false] }),
  ulimits: warned('limits are those of the engine')
}

const NEEDS_RIGHTS = 'it would run without rights that it needs'

/** Refused: without them it would be less safe, or lose data, or not be what the file says. */
const REFUSED: SupportSection = {
  cap_add: refused('security', NEEDS_RIGHTS),
  cap_drop: refused('security', 'it would keep rights that it should not have'),
  cgroup: refused('security', "it would not share the node's cgroups", {
    neutral: ['private']
  }),
  configs: refused('data', 'it would run without its configuration files', {
    hint: 'use a bind mount on the nodes that have the file, or environment'
  }),
  credential_spec: refused('security', `it would run without its identity; ${WINDOWS}`),
  device_cgroup_rules: refused('security', NEEDS_RIGHTS),
  devices: refused('security', 'it would run without its devices'),
  extends: never('the service is incomplete without what it extends', {
    hint: 'copy the keys here, or use a YAML anchor'
  }),
  gpus: refused('security', 'it would run without its GPUs'),
  group_add: refused('security', 'it would run without these groups'),
  ipc: refused('security', "it would not share another's memory", {
    neutral: ['private', 'shareable']
  }),
  models: refused('data', 'it would run without its model'),
  network_mode: refused('security', "it would be in the project's network instead", {
    neutral: ['bridge', 'default']
  }),
  pid: refused('security', "it would not see the other's processes"),
  privileged: refused('security', 'it would run without the rights of the node', {
    neutral: [false]
  }),
  profiles: never('a service with a profile runs only when the profile is chosen', {
    hint: 'remove the service, or the key to run it always'
  }),
  provider: never('shoal starts no providers', {
    hint: 'start it yourself and remove the service'
  }),
  read_only: refused('security', 'its file system would be writable', { neutral: [false] }),
  runtime: refused('security', "it would run in the engine's own runtime", { neutral: ['runc'] }),
  secrets: refused('data', 'it would run without its secret files', {
    hint: 'use env_file or a bind mount until secrets are there'
  }),
  security_opt: refused('security', "it would run with the engine's usual confinement"),
  sysctls: refused('security', 'it would run without these kernel settings'),
  use_api_socket: refused('security', "it would not get the engine's socket", {
    neutral: [false]
  }),
  userns_mode: refused('security', "it would run in the engine's usual user namespace"),
  uts: refused('security', 'it would have a host name of its own'),
  volumes_from: refused('data', 'it would run without these volumes', {
    hint: 'name the volume in both services'
  })
}

export const SERVICE: SupportSection = { ...PROCESS, ...IGNORED, ...REFUSED }
