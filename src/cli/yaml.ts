/** YAML for `-o yaml`. A module of its own: bundled, a lazy import of a package that is CommonJS
 * gives no names. */
export { stringify } from 'yaml'
