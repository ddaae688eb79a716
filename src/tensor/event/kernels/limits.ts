/** The kernels keep what happened at so many steps. */
export const maximumSteps = 256;
/** For each step one, three that steps have in common, and room to read four at a time. */
export const maximumLists = maximumSteps + 8;
