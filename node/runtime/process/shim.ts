/**
 * The shell programs around one process: POSIX sh, run by dash and by busybox.
 *
 * The shim is a session of its own and outlives the daemon. It waits for `go` on its standard input
 * (a daemon that died before it had written the shim's identity down sends none, and nothing runs),
 * starts the workload in a second session, stamps its lines, and writes the exit status. The
 * workload's own wrapper writes down who it is before it becomes the workload, so that there is no
 * moment at which something runs that a later daemon would not know.
 *
 * Lines are stamped here, so that they keep their time while no daemon lives. `read` and
 * `/proc/uptime` cost no fork: about 70 microseconds a line. A line that would not fit into
 * `READER_KIB` of memory ends the reader, which is started again after it.
 */
import { createHash } from 'node:crypto'

/** 5 MB x 3 files x 2 streams: the 30 MB a replica that containers have too. */
export const LOG_BYTES_MAX = 5 * 1000 * 1000
export const LOG_FILES_MAX = 3
const READER_KIB = 65_536

/** Exit statuses of the wrapper itself, as `docker run` has them. */
export const EXIT_WRAPPER = 125

/**
 * Arguments: record directory, run number, wall clock at boot in ms, log bytes, log files, the file
 * whose change says "look again", the shell (words without spaces in them).
 */
export const SHIM = `# shoal process shim
dir=$1 run=$2 zero=$3 bytes=$4 files=$5 bell=$6 shell=$7
trap : TERM INT HUP QUIT
umask 077
IFS= read -r go || exit 0
[ "$go" = go ] || exit 0
exec </dev/null
cd "$dir" || exit 1

rotate() {
  n=$((files - 1))
  while [ "$n" -gt 1 ]; do
    [ -e "$1.$((n - 1))" ] && mv -f "$1.$((n - 1))" "$1.$n"
    n=$((n - 1))
  done
  mv -f "$1" "$1.1"
}

# Where there is nothing to write to any more, the workload goes on and its lines are dropped.
append() {
  (: >>"$1") 2>/dev/null || exec cat >/dev/null
  exec 3>>"$1"
}

lines() {
  ulimit -v ${READER_KIB} 2>/dev/null
  file=$1
  size=$(($(wc -c <"$file" 2>/dev/null || echo 0)))
  append "$file"
  more=1
  while [ "$more" = 1 ]; do
    IFS= read -r line || { more=0; [ -n "$line" ] || break; }
    read -r up rest </proc/uptime
    printf '%s %s\\n' "$((zero + \${up%.*} * 1000 + 1\${up#*.}0 - 1000))" "$line" >&3
    size=$((size + \${#line} + 15))
    if [ "$size" -ge "$bytes" ]; then
      rotate "$file"
      append "$file"
      size=0
    fi
  done
  exit 0
}

reader() {
  until (lines "$1"); do :; done
}

rm -f out.pipe err.pipe
mkfifo out.pipe err.pipe || exit 1
(trap '' TERM INT HUP; reader stdout.log) <out.pipe >/dev/null 2>&1 &
(trap '' TERM INT HUP; reader stderr.log) <err.pipe >/dev/null 2>&1 &
setsid $shell "$dir/wrapper.sh" "$run" "$$" >out.pipe 2>err.pipe
code=$?

# What the workload left behind in its group. The number cannot have been given away meanwhile:
# that takes a full turn of the pid counter.
if read -r pid rest <"workload.$run"; then
  kill -s KILL -- "-$pid" 2>/dev/null
fi
printf '%s\\n' "$code" >"exit.$run.new" && mv -f "exit.$run.new" "exit.$run"
echo "$run" >"$bell"
wait
`

/** Names the file by its text: a shell reads its program while it runs, so none is overwritten. */
export const SHIM_FILE = `shim-${createHash('sha256').update(SHIM).digest('hex').slice(0, 8)}.sh`

export interface WrapperInput {
  readonly directory: string
  readonly bootId: string
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly argv: readonly string[]
  /** Told when the workload has begun. */
  readonly bell: string
}

/** One shell word that means exactly this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function environment(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([key, value]) => `export ${key}=${quote(value)}\n`)
    .join('')
}

/**
 * Becomes the workload. Arguments: run number, the shim's pid. Gives up when the shim has died
 * before the identity was on disk: then nobody will look for this process. The environment stands
 * in this file (mode 0600), never in arguments.
 */
export function wrapperScript(input: WrapperInput): string {
  const { directory, bootId, bell, workingDir } = input
  return `cd ${quote(directory)} || exit ${EXIT_WRAPPER}
read -r stat </proc/self/stat || exit ${EXIT_WRAPPER}
printf '%s %s %s\\n' "\${stat%% *}" ${bootId} "$stat" >"workload.$1.new" &&
  mv -f "workload.$1.new" "workload.$1" || exit ${EXIT_WRAPPER}
read -r stat </proc/self/stat || exit ${EXIT_WRAPPER}
case $stat in
*") "?" $2 "*) ;;
*) exit ${EXIT_WRAPPER} ;;
esac
echo "$1" >${quote(bell)}
umask 022
cd ${quote(workingDir)} || exit ${EXIT_WRAPPER}
${commandScript(input)}`
}

/** Only the environment and the command: for health checks. */
export function commandScript(input: Pick<WrapperInput, 'env' | 'argv'>): string {
  return `${environment(input.env)}exec ${input.argv.map(quote).join(' ')}\n`
}
