/** Rows for the keys inside a service's keys. */
import { never, refused, type SupportSection, supported, under, warned, within } from './row.ts'
import { SERVICE } from './service.ts'

const row = (key: string) => SERVICE[key] ?? warned('is ignored')
const ROLLING = 'replicas are replaced one at a time, and it stops at the first failure'

const BUILD = within(
  row('build'),
  'context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to ' +
    'no_cache additional_contexts network provenance sbom pull target shm_size extra_hosts ' +
    'isolation privileged secrets tags ulimits platforms'
)

const HEALTHCHECK: SupportSection = {
  test: supported('the check that is run'),
  interval: supported('time between checks, 30s'),
  timeout: supported('time for one check, 30s'),
  retries: supported('failures in a row that make it unhealthy, 3'),
  start_period: supported('time after the start in which failures do not count, 0s'),
  start_interval: warned('checks run every interval from the start'),
  disable: supported("true: no check, not even the image's")
}

const UPDATE = 'parallelism delay failure_action monitor max_failure_ratio order'
const UPDATE_CONFIG = warned(ROLLING)
const DEVICE_NAMES = 'capabilities count device_ids driver options'
const RESERVED_DEVICES = refused('security', 'it would run without its devices')
const GENERIC = refused('security', 'it would be placed without regard to these resources', {
  hint: 'label the nodes and use a constraint'
})

const DEPLOY: SupportSection = {
  mode: never('only mode replicated is there yet', { neutral: ['replicated'] }),
  endpoint_mode: warned('names lead to the replicas on the same node', { neutral: ['vip'] }),
  replicas: supported('the number of replicas, 0 to 1000'),
  labels: warned('these are labels of the service, not of its containers', { hint: 'use labels' }),
  update_config: UPDATE_CONFIG,
  ...under('update_config', within(UPDATE_CONFIG, UPDATE)),
  rollback_config: UPDATE_CONFIG,
  ...under('rollback_config', within(UPDATE_CONFIG, UPDATE)),
  resources: supported('what it needs and what it may use'),
  'resources.limits': supported('what it may use at most'),
  'resources.limits.cpus': supported('cpu limit'),
  'resources.limits.memory': supported('memory limit'),
  'resources.limits.pids': warned('the number of processes is not limited', { neutral: [0] }),
  'resources.reservations': supported('what is kept free for it on its node'),
  'resources.reservations.cpus': supported('cpu request'),
  'resources.reservations.memory': supported('memory request'),
  'resources.reservations.generic_resources': GENERIC,
  ...under(
    'resources.reservations.generic_resources[]',
    within(
      GENERIC,
      'discrete_resource_spec discrete_resource_spec.kind discrete_resource_spec.value'
    )
  ),
  'resources.reservations.devices': RESERVED_DEVICES,
  ...under('resources.reservations.devices[]', within(RESERVED_DEVICES, DEVICE_NAMES)),
  restart_policy: supported('when it is restarted'),
  'restart_policy.condition': supported('none, on-failure or any'),
  'restart_policy.delay': warned('restarts back off by themselves'),
  'restart_policy.max_attempts': warned('restarts go on, with back-off'),
  'restart_policy.window': warned('restarts back off by themselves'),
  placement: supported('where it may run'),
  'placement.constraints': supported('conditions on nodes'),
  'placement.preferences': warned('replicas are spread over the nodes by shoal'),
  ...under('placement.preferences[]', within(warned(''), 'spread')),
  'placement.max_replicas_per_node': supported('at most so many replicas on one node')
}

const NETWORKS: SupportSection = {
  aliases: warned('it is reached by the name of its service'),
  interface_name: warned('the interface is named by the engine'),
  ipv4_address: warned('the address is drawn by the engine', {
    hint: 'use the name of the service'
  }),
  ipv6_address: warned('the address is drawn by the engine', {
    hint: 'use the name of the service'
  }),
  link_local_ips: warned('these addresses are not set'),
  mac_address: warned('the address is drawn by the engine'),
  driver_opts: warned('these options are not set'),
  priority: warned('there is one network for each project', { neutral: [0] }),
  gw_priority: warned('there is one network for each project', { neutral: [0] })
}

const PORTS: SupportSection = {
  name: supported('a note for people'),
  mode: supported('host and ingress both publish on the nodes that run a replica'),
  host_ip: supported('the address of the node that it is published on'),
  target: supported('the port in the container'),
  published: supported('the port on the node'),
  protocol: supported('tcp or udp'),
  app_protocol: supported('a note for people')
}

const VOLUMES: SupportSection = {
  type: supported('volume, bind or tmpfs'),
  source: supported('the name of the volume, or the path on the node'),
  target: supported('the path in the container'),
  read_only: supported('it can only be read'),
  consistency: warned('it has no effect on Linux'),
  bind: supported('options of a bind'),
  'bind.propagation': warned('mounts inside it are not passed on', {
    neutral: ['rprivate', 'private']
  }),
  'bind.create_host_path': warned('a missing path is never created: it would be empty', {
    neutral: [false]
  }),
  'bind.recursive': refused('security', 'mounts below it would be mounted writable', {
    neutral: ['enabled', 'writable']
  }),
  'bind.selinux': warned('it is not relabelled'),
  volume: supported('options of a volume'),
  'volume.labels': warned('no labels are put on the volume'),
  'volume.nocopy': refused('data', 'files of the image would be copied into it', {
    neutral: [false]
  }),
  'volume.subpath': refused('data', 'the whole volume would be mounted'),
  tmpfs: supported('options of a memory file system'),
  'tmpfs.size': supported('its size'),
  'tmpfs.mode': warned('its mode is the usual 1777', { neutral: [0o1777, '1777', '01777'] }),
  image: refused('data', 'images are not mounted'),
  ...under('image', within(refused('data', ''), 'subpath'))
}

const ENV_FILE: SupportSection = {
  path: supported('the file, below the project'),
  required: supported('false: it may be missing'),
  format: supported('raw: values as written')
}

const DEPENDS_ON = within(row('depends_on'), 'condition required restart')
const FILE_NAMES = 'source target uid gid mode'
const HOOK_NAMES = 'command user privileged working_dir environment'
const WATCH =
  'ignore include path action target exec exec.command exec.user exec.privileged ' +
  'exec.working_dir exec.environment initial_sync'
const BLKIO = 'device_read_bps device_read_iops device_write_bps device_write_iops weight_device'

export const SERVICE_NESTED: SupportSection = {
  ...under('build', BUILD),
  ...under('build.secrets[]', within(row('build'), FILE_NAMES)),
  ...under('build.ulimits.*', within(row('build'), 'hard soft')),
  ...under('healthcheck', HEALTHCHECK),
  ...under('deploy', DEPLOY),
  ...under('networks.*', NETWORKS),
  ...under('ports[]', PORTS),
  ...under('volumes[]', VOLUMES),
  ...under('env_file[]', ENV_FILE),
  ...under('depends_on.*', DEPENDS_ON),
  ...under('develop', within(row('develop'), 'watch')),
  ...under('develop.watch[]', within(row('develop'), WATCH)),
  ...under('blkio_config', within(row('blkio_config'), `${BLKIO} weight`)),
  ...Object.assign(
    {},
    ...BLKIO.split(' ').map(name =>
      under(
        `blkio_config.${name}[]`,
        within(row('blkio_config'), name === 'weight_device' ? 'path weight' : 'path rate')
      )
    )
  ),
  ...under('credential_spec', within(row('credential_spec'), 'config file registry')),
  ...under('devices[]', within(row('devices'), 'source target permissions')),
  ...under('gpus[]', within(row('gpus'), DEVICE_NAMES)),
  ...under('extends', within(row('extends'), 'service file')),
  ...under('provider', within(row('provider'), 'type options')),
  ...under('logging', within(row('logging'), 'driver options')),
  ...under('models.*', within(row('models'), 'endpoint_var model_var')),
  ...under('configs[]', within(row('configs'), FILE_NAMES)),
  ...under('secrets[]', within(row('secrets'), FILE_NAMES)),
  ...under('post_start[]', within(row('post_start'), HOOK_NAMES)),
  ...under('pre_stop[]', within(row('pre_stop'), HOOK_NAMES)),
  ...under('ulimits.*', within(row('ulimits'), 'hard soft'))
}
