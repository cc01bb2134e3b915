/** Rows for the top level of a file, and for `x-shoal`. */
import { never, refused, type SupportSection, supported, under, warned, within } from './row.ts'

const EXTERNAL = 'shoal uses only what it made'
const NETWORK_ISOLATION = 'its services could reach the outside'

const TOP_KEYS: SupportSection = {
  version: supported('nothing, as in Compose'),
  name: supported('the name of the project'),
  services: supported('the workloads'),
  networks: supported('names for groups of services; a project has one network on its node'),
  volumes: supported('named volumes'),
  include: never('the file is incomplete without what it includes', {
    hint: 'copy the services here'
  }),
  secrets: { ...refused('data', 'secrets are not delivered yet'), atUse: true },
  configs: { ...refused('data', 'configs are not delivered yet'), atUse: true },
  models: { ...refused('data', 'models are not run'), atUse: true }
}

const NETWORK: SupportSection = {
  name: warned('networks are named by shoal'),
  driver: warned('the network is a bridge on the node', { neutral: ['bridge', 'default'] }),
  driver_opts: warned('these options are not set'),
  ipam: warned('addresses are drawn by the engine'),
  ...under('ipam', within(warned(''), 'driver config options')),
  ...under('ipam.config[]', within(warned(''), 'subnet ip_range gateway aux_addresses')),
  external: refused('security', `it would be another network: ${EXTERNAL}`, { neutral: [false] }),
  ...under('external', within(refused('security', ''), 'name')),
  internal: refused('security', NETWORK_ISOLATION, { neutral: [false] }),
  enable_ipv4: warned("addresses are the engine's choice", { neutral: [true] }),
  enable_ipv6: warned("addresses are the engine's choice", { neutral: [false] }),
  attachable: warned('it has no effect here', { neutral: [true, false] }),
  labels: warned('no labels are put on the network')
}

const VOLUME: SupportSection = {
  name: supported('the name of the volume within the project'),
  driver: supported('local is the one driver'),
  driver_opts: supported('nfs, nfs4 and cifs: shared by all nodes; tmpfs: memory'),
  external: never(`its data would be missing: ${EXTERNAL}`, {
    neutral: [false],
    hint: 'copy its data into a volume of this project'
  }),
  ...under('external', within(never(''), 'name')),
  labels: warned('no labels are put on the volume')
}

const DECLARED = { ...refused('data', 'goes with the key around it'), atUse: true }
const declared = (names: string): SupportSection =>
  Object.fromEntries(names.split(' ').map(name => [name, DECLARED]))

const SECRET = declared(
  'name environment file external external.name labels driver driver_opts template_driver'
)
const CONFIG = declared(
  'name content environment file external external.name labels template_driver'
)
const MODEL = declared('name model context_size runtime_flags')

/** Not in the official schema: ours. */
const SHOAL: SupportSection = {
  runtime: supported('docker, process or memory'),
  partition: supported('any-partition or manual: what happens when the network is cut'),
  reconcile: supported('which copy stays when two sides meet again'),
  rebalance: supported('gradual, failover or never: when healthy replicas may move'),
  priority: supported('0 to 9, 5: lower waits last when little is left'),
  onDataLoss: supported('wait: a replica whose data is away waits for it'),
  spread: supported('soft, hard or none: replicas on different nodes and zones'),
  requires: supported('conditions on nodes, like placement.constraints'),
  schedule: never('cron comes later'),
  kind: never('kinds other than service come later', { neutral: ['service'] }),
  address: never('floating addresses come later')
}

export const TOP: SupportSection = {
  ...TOP_KEYS,
  ...under('include[]', within(never(''), 'path env_file project_directory')),
  ...under('networks.*', NETWORK),
  ...under('volumes.*', VOLUME),
  ...under('secrets.*', SECRET),
  ...under('configs.*', CONFIG),
  ...under('models.*', MODEL)
}

export const X_SHOAL: SupportSection = under('services.*.x-shoal', SHOAL)
