/** What the top bar switches between; `app/pages.ts` lists those that there are. */
export const pageNames = ['detect', 'evaluate', 'train', 'learn', 'bench'] as const;
export type PageName = (typeof pageNames)[number];

/** Panels of the Detect page that can be hidden, for a lesson that is about the others. */
export const panelTitles = {
  source: 'Source',
  events: 'Events',
  run: 'Run',
  panes: 'Boxes of the networks',
  network: 'Network',
  raster: 'Spike raster',
  rates: 'Firing rate per layer',
  inspector: 'Inspector',
  histogram: 'Membrane histogram',
  explain: 'Why is this box there',
  difference: 'Difference of boxes',
  compare: 'Trained against converted',
  energy: 'Energy per layer',
} as const;
export type PanelName = keyof typeof panelTitles;
export const hideablePanels = Object.keys(panelTitles) as [PanelName, ...PanelName[]];
