/**
 * How Node runs shoald: a small heap that idles most of the time, beside workloads that want the
 * cores. They only save: without them (`node shoald.js`) all works alike. V8 takes them at its
 * start only: they are on the command line and in the bundle's first line, not in the program.
 */
export const NODE_FLAGS: readonly string[] = [
  // Four helper threads for a heap of 20 MiB cost more than they save: idle with 19 peers 1.6 % of
  // a core with them, 1.1 % without.
  '--single-threaded-gc',
  // Full collections of an idle process, to give back memory that it needs again.
  '--no-memory-reducer',
  // Room for some seconds of idle garbage: 1 MiB (what V8 shrinks to) is collected every 3 s.
  '--min-semi-space-size=2',
  '--max-semi-space-size=4',
  // What runs once a second for ever is worth compiling after seconds, not minutes.
  '--interrupt-budget=20000'
]
