import { z } from '../base/schema';
import { drawnPictures, showDrawnPicture } from './sources';
import { findKeptModels } from './keptModels';
import { fetchAhead, startEngine } from './models';
import { applyShared, applyView, firstView, followAddress, readAddress } from './shared';
import { startConverted } from './converted';
import { startEnergy } from './energy';
import { startExplaining } from './explain';
import { startTheme } from './theme';
import { detectionResultSchema, usePlayground } from '../state/store';

const exampleSchema = z.object({ snn: detectionResultSchema, ann: detectionResultSchema });

/** A picture with its precomputed boxes first, then the engine, which soon replaces them by its own; or what the address asks for. */
export async function start(): Promise<void> {
  startTheme();
  startConverted();
  startEnergy();
  startExplaining();
  void findKeptModels();
  const shared = readAddress();
  applyView(shared);
  const { sample = firstView.sample, model = firstView.model } = shared;
  fetchAhead(model);
  const engineReady = startEngine();
  if (sample === firstView.sample && model === firstView.model) await showExample();
  await engineReady;
  await applyShared(shared);
  followAddress();
}

/** Without it the page only waits for the engine: a missing example is no error. */
async function showExample(): Promise<void> {
  const [picture] = drawnPictures;
  if (!picture) return;
  const base = `${import.meta.env.BASE_URL}gallery`;
  const [, example] = await Promise.all([
    showDrawnPicture(picture),
    fetch(`${base}/example.json`)
      .then((response) => (response.ok ? response.json() : undefined))
      .catch(() => undefined),
  ]);
  const parsed = exampleSchema.safeParse(example);
  const { source, results } = usePlayground.getState();
  if (!parsed.success || !source || results.snn) return;
  usePlayground.setState({
    results: {
      snn: { sourceId: source.id, result: parsed.data.snn, precomputed: true },
      ann: { sourceId: source.id, result: parsed.data.ann, precomputed: true },
      converted: undefined,
    },
  });
}
