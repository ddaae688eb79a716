import { z } from './schema';

/**
 * The choices that a person has with events, as plain names: the page offers them, the engine's protocol checks them,
 * and `input/events` says what they do.
 */

/** What a column of a table of events holds. */
export const columnNames = ['t', 'x', 'y', 'p'] as const;
export type ColumnName = (typeof columnNames)[number];
export const timeUnits = ['s', 'ms', 'us', 'ns'] as const;
export type TimeUnit = (typeof timeUnits)[number];

/** How a window of events becomes the network's input (`input/events/steps.ts`). */
export const representations = ['gen1', 'gen1-slice-0', 'counts', 'surface'] as const;
export type Representation = (typeof representations)[number];

/** Scenes that the program draws and films with its simulated camera (`input/events/scenes.ts`). */
export const sceneKinds = ['digits', 'road'] as const;
export type SceneKind = (typeof sceneKinds)[number];

/** Formats that recordings can be saved in (`input/events/write.ts`). */
export const writableFormatIds = ['dat', 'evt2', 'evt3', 'npy', 'csv'] as const;
export type WritableFormatId = (typeof writableFormatIds)[number];

/** Sensors are at most this wide and high: what a damaged header or event claims beyond it is not believed. */
export const maximumSensorSide = 4096;

/** The simulated event camera (`input/events/simulator.ts` says what each figure does, with units and sources). */
export const simulatorSettingsSchema = z.object({
  onThreshold: z.number().min(0.01).max(2),
  offThreshold: z.number().min(0.01).max(2),
  thresholdSpread: z.number().min(0).max(0.5),
  refractoryUs: z.number().min(0).max(1e6),
  leakRateHz: z.number().min(0).max(100),
  shotNoiseRateHz: z.number().min(0).max(100),
});
export type SimulatorSettings = z.infer<typeof simulatorSettingsSchema>;

/** Thresholds of a common camera; noise is off, so that what is seen comes from the scene. */
export const defaultSimulatorSettings: SimulatorSettings = {
  onThreshold: 0.25,
  offThreshold: 0.25,
  thresholdSpread: 0.03,
  refractoryUs: 500,
  leakRateHz: 0,
  shotNoiseRateHz: 0,
};
