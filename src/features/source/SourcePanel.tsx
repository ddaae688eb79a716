import { useRef } from 'react';
import { Button, Panel, SwitchField } from '../../ui/controls';
import { openFiles } from '../../commands/files';
import { chooseSample } from '../../commands/samples';
import { remoteCollections, drawAnother, drawnPictures } from '../../commands/sources';
import { setView, usePlayground } from '../../state/store';
import { SketchSource } from './SketchSource';
import './source.css';

/** Where the picture comes from. Dropping and pasting work on the whole page; this panel says so. */
export function SourcePanel() {
  const source = usePlayground((state) => state.source);
  const areLabelsShown = usePlayground((state) => state.view.labels);
  const fileInput = useRef<HTMLInputElement>(null);
  return (
    <Panel title="Source" className="source">
      <ul className="source-gallery" aria-label="Drawn pictures">
        {drawnPictures.map((picture) => (
          <li key={picture.file}>
            <button
              type="button"
              className="source-thumb"
              aria-pressed={source?.title === picture.title}
              onClick={() => void chooseSample(picture.sample)}
            >
              <img src={picture.file} alt={picture.title} width={80} height={60} loading="lazy" />
            </button>
          </li>
        ))}
      </ul>
      <p className="source-note">Drawn by this program in the manner of blood smears.</p>
      <div className="source-actions">
        <Button look="primary" onPress={() => fileInput.current?.click()}>
          Open a file…
        </Button>
        <Button onPress={() => void drawAnother()}>Draw another</Button>
      </div>
      <SketchSource />
      <input
        ref={fileInput}
        type="file"
        multiple
        className="visually-hidden"
        tabIndex={-1}
        aria-label="Open a picture, an event recording, a video or a checkpoint"
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          // Choosing the same file again must count as a choice.
          event.target.value = '';
          if (files.length > 0) void openFiles(files, 'snn');
        }}
      />
      <p className="source-note">
        Or drop or paste a picture, an event recording, a video, or a checkpoint (<code>.pt</code>, <code>.safetensors</code>) anywhere. Nothing is
        uploaded: files stay on this machine.
      </p>
      {remoteCollections.map((collection) => (
        <details key={collection.title} className="source-remote">
          <summary>{collection.title}</summary>
          <p className="source-note">
            Fetched from{' '}
            <a href={collection.url} target="_blank" rel="noreferrer">
              {collection.repository}
            </a>{' '}
            on GitHub, {collection.licence}, when you choose one.
          </p>
          <ul className="source-list">
            {collection.pictures.map((picture) => (
              <li key={picture.url}>
                <Button look="quiet" onPress={() => void chooseSample(picture.sample)}>
                  {picture.title}
                </Button>
              </li>
            ))}
          </ul>
        </details>
      ))}
      {source && (
        <p className="source-current">
          <strong>{source.title}</strong>, {source.size.width} × {source.size.height} px.{' '}
          {source.originUrl === undefined ? (
            source.origin
          ) : (
            <a href={source.originUrl} target="_blank" rel="noreferrer">
              {source.origin}
            </a>
          )}
        </p>
      )}
      {source?.kind === 'picture' && source.truth.length > 0 && (
        <SwitchField
          label="Compare with labels"
          description={`${source.truth.length === 1 ? '1 box is' : `${source.truth.length} boxes are`} known: which of them were found, which were missed, and which boxes are false`}
          isOn={areLabelsShown}
          onChange={(labels) => setView({ labels })}
        />
      )}
    </Panel>
  );
}
