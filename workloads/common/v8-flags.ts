/**
 * The flags that each process of a service is started with, about V8's young generation.
 *
 * Its bound: by itself it grows with the machine, to a hundred megabytes and more; and V8 counts the memory of ArrayBuffers, of which every
 * request has some, as if the next small collection would free none of it. Before that comes, the sum is over the bound that begins a
 * collection of the whole heap: one for each small one was seen.
 *
 * No pretenuring: when most of what a place in the code allocates has outlived a small collection, as at a start, or in a burst of requests,
 * V8 makes such objects in the old generation from then on. Those of later requests stay there until the next collection of the whole heap,
 * and keep what they refer to.
 *
 * Together a third of the processor time of an append.
 */
export const V8_FLAGS = ['--max-semi-space-size=8', '--no-allocation-site-pretenuring'];
