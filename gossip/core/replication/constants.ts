/** Every limit and pace of replication. Peers are hostile: nothing here is unbounded. */

/** Own commands of so long are one signed batch. */
export const OWN_COALESCE_MS = 5
/** Anti-entropy with one random alive peer (`protocols.md` 3). */
export const REPAIR_EVERY_MS = 5_000
/** After a repair that changed something the next one comes sooner: news travel as rumours do. */
export const REPAIR_AGAIN_MS = 400
/** On an open link, besides at once; the side with the greater id leaves the first to the other. */
export const GREET_AFTER_MS = [0, 1_000, 2_000, 4_000] as const
/** An exchange that is silent for so long may be started anew. */
export const EXCHANGE_SILENCE_MS = 3_000
/** A peer that gives and gives does not keep us from the others for longer. */
export const SOURCE_MS_MAX = 30_000
/** Rounds (digest, summary, want, records) of one exchange. */
export const EXCHANGE_ROUNDS_MAX = 64

/** Payload of one `delta` or `records` message; the frame limit is 256 KiB. */
export const PAGE_BYTES = 200 * 1024
/** Each is verified by its receiver, some 60 us a signature: a page must not stall it. */
export const PAGE_RECORDS_MAX = 256
/** Bare uids in one page, 20 bytes each. */
export const PAGE_UIDS_MAX = 4_096
/** Pages that answer one `want`. */
export const ANSWER_PAGES_MAX = 8
/** Hashes in one `want`, 8 bytes each. */
export const WANT_HASHES_MAX = 24_000

/** Buckets of the shared registers in a summary. */
export const BUCKET_COUNT = 64

/** Requests (digest, want) a peer may make: burst and refill a second. */
export const REQUEST_BURST = 32
export const REQUEST_PER_SECOND = 4
/** Bytes we serve one peer in repairs: burst and refill a second. */
export const SERVE_BYTES_BURST = 16 * 1024 * 1024
export const SERVE_BYTES_PER_SECOND = 4 * 1024 * 1024
/** Record bytes we take from one author on the fast path; repair brings what was dropped. */
export const AUTHOR_BYTES_BURST = 8 * 1024 * 1024
export const AUTHOR_BYTES_PER_SECOND = 1024 * 1024
/** Records of owners that are not rostered yet, kept in case they are soon. */
export const STRANGER_RECORDS_MAX = 256

export const ID_LENGTH_MAX = 128
export const KEY_LENGTH_MAX = 512
export const OPERATION_LENGTH_MAX = 640
export const REQUEST_LENGTH_MAX = 64
export const OWN_VALUE_BYTES_MAX = 64 * 1024
/** A spec of 64 KiB and what is wrapped around it. */
export const SHARED_VALUE_BYTES_MAX = 80 * 1024
/** One signed record with everything in it. */
export const RECORD_BYTES_MAX = 160 * 1024

/** Keys of one owner, deleted ones too. */
export const OWN_KEYS_MAX = 8_192
export const OWN_BYTES_MAX = 8 * 1024 * 1024
/** Deleted keys an owner keeps before it collects them with a marker. */
export const OWN_TOMBSTONES_MAX = 64

/** 10,000 workloads, and as many other registers. */
export const REGISTERS_MAX = 20_000
/** Concurrent writes that one register keeps; beyond, the lowest ranked go. */
export const SIBLINGS_MAX = 32
/** A register whose vector would grow beyond takes no write until every rostered node acked. */
export const VECTOR_ENTRIES_MAX = 256
/** Lamport counters stop here, so that none can be driven to the end of the numbers. */
export const ORDER_MAX = 2 ** 48
/** Earlier operations that a write carries along. */
export const PAST_MAX = 8
/** Recent operations that a replica remembers of all registers. */
export const OPERATIONS_MAX = 8_192
/** A signed removal is kept so long though everybody holds it: who asks for it again is told that
 * it was done. Above so many, the oldest go earlier. */
export const EVIDENCE_MS = 600_000
export const EVIDENCE_MAX = 4_096
/** Collected tombstones: 16 bytes each for good. */
export const REMOVED_MAX = 1_000_000

/** Writes that wait for a second disk. */
export const PENDING_WRITES_MAX = 1_024
/** Peers asked at once to store a write, and how soon others are asked too. */
export const STORE_FANOUT = 3
export const STORE_AGAIN_MS = 500
export const WAIT_MS_MAX = 60_000
/** Alarms that are remembered, so that each is raised once. */
export const ALARMS_MAX = 1_024

/** While the store holds this record its node is amnesiac, over restarts too. The store writes it
 * when it finds damage, the replica deletes it once a peer has filled it again. */
export const AMNESIA_KEY = 'replica/amnesiac'
