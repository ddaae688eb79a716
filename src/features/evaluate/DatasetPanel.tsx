import { openDatasetFolder, openDatasetZip } from '../../commands/evaluate';
import { usePlayground } from '../../state/store';
import { Button, Panel } from '../../ui/controls';

const formatTitles = { voc: 'VOC', coco: 'COCO', yolo: 'YOLO', gen1: 'Gen1 recordings' } as const;

/** The data set that is open, and how to open one. */
export function DatasetPanel() {
  const dataset = usePlayground((state) => state.evaluate.dataset);
  return (
    <Panel title="Data set" aside="stays on this machine">
      <div className="evaluate-drop">
        <p>Drop a folder or a zip of labelled pictures or recordings here: VOC, COCO, YOLO, or Gen1’s pairs of recordings and boxes.</p>
        <div className="evaluate-buttons">
          <Button look={dataset ? 'plain' : 'primary'} onPress={openDatasetFolder}>
            Choose a folder…
          </Button>
          <Button onPress={openDatasetZip}>Choose a zip…</Button>
        </div>
      </div>
      {dataset && (
        <>
          <p data-testid="dataset-summary">
            <strong>{dataset.title}</strong>: {formatTitles[dataset.summary.format]}, {countOf(dataset.summary.samples, dataset.summary.format === 'gen1' ? 'labelled time' : 'picture')},{' '}
            {countOf(dataset.summary.classNames.length, 'class', 'es')} ({listed(dataset.summary.classNames)})
          </p>
          <Problems problems={dataset.summary.problems} count={dataset.summary.problemCount} />
        </>
      )}
    </Panel>
  );
}

/** Files that could not be used, by name. */
export function Problems({ problems, count }: { problems: readonly { path: string; message: string }[]; count: number }) {
  if (count === 0) return null;
  return (
    <details className="evaluate-problems">
      <summary>{countOf(count, 'file')} could not be used as they are; the rest was read</summary>
      <ul tabIndex={0} aria-label="Files that could not be used">
        {problems.map(({ path, message }, index) => (
          <li key={index}>
            <strong>{path}</strong> {message}
          </li>
        ))}
        {count > problems.length && <li>… and {count - problems.length} more.</li>}
      </ul>
    </details>
  );
}

function countOf(count: number, what: string, plural = 's'): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : plural}`;
}

export function listed(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 7).join(', ')} and ${names.length - 7} more` : names.join(', ');
}
