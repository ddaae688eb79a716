/** What a thread writes while it computes: every thread has an instance of the program, with its own globals, on one memory. */
import { initialise } from './lists';
import { maximumLists, maximumSteps } from './limits';

/**
 * Sums of one pixel and one block of output channels: of what fires at every step, at every even and every odd one; of one step, of
 * each step, and the largest of several pixels that are the same at every step, or at every other one.
 */
export let always: usize = 0;
export let evenSteps: usize = 0;
export let oddSteps: usize = 0;
export let sumNow: usize = 0;
export let largest: usize = 0;
export let largestEven: usize = 0;
export let largestOdd: usize = 0;
export let sums: usize = 0;
/** What the neurons of a block do where nothing reaches them: two words for each step. */
export let silentMasks: usize = 0;
/** Where each list ends that is being written; read four at a time. */
export let listEnds: usize = 0;
/** Four partial counts for each list. */
export let partialCounts: usize = 0;
/** Where the pixels of a chunk of a dense convolution begin. */
export let places: usize = 0;
export const placesAtATime = 64;
/** The number of this thread; what convolutions take as scratch has one part for each. */
export let thread: usize = 0;

const sumBytes: usize = 128;
const bytes: usize = sumBytes * (7 + maximumSteps) + 4 * maximumSteps + 4 * maximumLists + 16 * maximumLists + 4 * placesAtATime;

/** Takes the scratch of a thread, and fills the table that all have in common. @returns the first address that is free for all of them */
export function start(number: i32, threads: i32): usize {
  thread = <usize>number;
  const first = (initialise() + 15) & ~15;
  always = first + thread * bytes;
  evenSteps = always + sumBytes;
  oddSteps = evenSteps + sumBytes;
  sumNow = oddSteps + sumBytes;
  largest = sumNow + sumBytes;
  largestEven = largest + sumBytes;
  largestOdd = largestEven + sumBytes;
  sums = largestOdd + sumBytes;
  partialCounts = sums + sumBytes * maximumSteps;
  listEnds = partialCounts + 16 * maximumLists;
  silentMasks = listEnds + 4 * maximumLists;
  places = silentMasks + 4 * maximumSteps;
  return first + <usize>threads * bytes;
}
