import { z } from '../base/schema';
import { drawnPictures, showPicture } from './sources';
import { chooseShippedModel, shippedModels, startEngine } from './models';
import { startConverted } from './converted';
import { startEnergy } from './energy';
import { startTheme } from './theme';
import { detectionResultSchema, setView, usePlayground } from '../state/store';

const exampleSchema = z.object({ snn: detectionResultSchema, ann: detectionResultSchema });

/** The layer that the inspector opens with: in the middle of the network, small enough to read at once. */
const firstLayer = 9;

/** A picture with its precomputed boxes first, then the engine, which soon replaces them by its own. */
export async function start(): Promise<void> {
  startTheme();
  startConverted();
  startEnergy();
  setView({ layer: firstLayer });
  const engineReady = startEngine();
  await showExample();
  await engineReady;
  const [model] = shippedModels;
  await chooseShippedModel(model.name);
}

/** Without it the page only waits for the engine: a missing example is no error. */
async function showExample(): Promise<void> {
  const [picture] = drawnPictures;
  if (!picture) return;
  const base = `${import.meta.env.BASE_URL}gallery`;
  const [image, example] = await Promise.all([
    fetch(picture.file).then((response) => (response.ok ? response.blob() : undefined)),
    fetch(`${base}/example.json`).then((response) => (response.ok ? response.json() : undefined)),
  ]).catch(() => [undefined, undefined]);
  if (!image) return;
  await showPicture(image, { title: picture.title, origin: 'Drawn by this program; not a photograph.', originUrl: undefined });
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
