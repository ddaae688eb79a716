/** What a spike leaves of the membrane: nothing, or what is above the threshold. EMS-YOLO is trained with the hard reset. */
export const resetModes = ['hard', 'soft'] as const;
export type ResetMode = (typeof resetModes)[number];
