/** Each digit as lines in a box of width 1 and height 1.4; curves as short lines. */
export type Stroke = readonly (readonly [number, number])[];

function arc(x: number, y: number, radiusX: number, radiusY: number, fromTurn: number, toTurn: number): Stroke {
  return Array.from({ length: 17 }, (_, index) => {
    const angle = (fromTurn + ((toTurn - fromTurn) * index) / 16) * 2 * Math.PI;
    return [x + radiusX * Math.cos(angle), y + radiusY * Math.sin(angle)] as const;
  });
}

export const digitStrokes: readonly (readonly Stroke[])[] = [
  [arc(0.5, 0.7, 0.45, 0.68, 0, 1)],
  [
    [
      [0.55, 0],
      [0.45, 1.4],
    ],
  ],
  [
    [...arc(0.5, 0.4, 0.42, 0.4, 0.52, 1.05), [0.05, 1.35], [0.98, 1.35]],
  ],
  [arc(0.45, 0.36, 0.42, 0.34, 0.6, 1.22), arc(0.45, 1.02, 0.46, 0.36, 0.78, 1.42)],
  [
    [
      [0.2, 0],
      [0.08, 0.75],
      [0.95, 0.75],
    ],
    [
      [0.75, 0.3],
      [0.7, 1.4],
    ],
  ],
  [
    [
      [0.92, 0.02],
      [0.25, 0.05],
      [0.18, 0.6],
    ],
    arc(0.42, 0.95, 0.48, 0.42, 0.68, 1.42),
  ],
  [[[0.72, 0], [0.3, 0.45], [0.1, 0.95]], arc(0.5, 1, 0.4, 0.38, 0, 1)],
  [
    [
      [0.05, 0.08],
      [0.95, 0.08],
      [0.45, 1.4],
    ],
  ],
  // Narrow, as most people write it: a wide one is taken for a 0.
  [arc(0.5, 0.34, 0.3, 0.34, 0, 1), arc(0.5, 1.04, 0.34, 0.36, 0, 1)],
  [arc(0.5, 0.4, 0.38, 0.38, 0, 1), [[0.88, 0.4], [0.8, 0.9], [0.6, 1.4]]],
];
