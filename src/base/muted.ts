import { z } from './schema';

const index = z.int().nonnegative();

/** What a person has silenced in the running network. Layers are counted as the network counts its neuron layers, blocks by their row. */
export const mutedSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('neuron'), layer: index, x: index, y: index, channel: index }),
  z.object({ kind: z.literal('channel'), layer: index, channel: index }),
  z.object({ kind: z.literal('block'), row: index }),
]);
export type Muted = z.infer<typeof mutedSchema>;

/** More than a person silences by hand. */
export const maximumMuted = 500;
