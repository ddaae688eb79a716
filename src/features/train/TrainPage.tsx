import { useEffect, useState, type DragEvent } from 'react';
import { openDroppedDataset, openTraining } from '../../commands/training';
import { addPictures, openLabelling } from '../../commands/labelling';
import { usePlayground } from '../../state/store';
import { DataPanel } from './DataPanel';
import { KeptModelsPanel } from './KeptModelsPanel';
import { LabelPanel } from './LabelPanel';
import { RunPanel } from './RunPanel';
import { CurvesPanel, FiringRatesPanel, SamplesPanel } from './RunViews';
import { SettingsPanel } from './SettingsPanel';
import './train.css';

/** Training in the page: what on, how, and how it goes. */
export default function TrainPage() {
  const data = usePlayground((state) => state.training.data);
  const hasRun = usePlayground((state) => state.training.run !== undefined);
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    void openTraining();
    void openLabelling();
  }, []);
  // What is dropped here is to train on, not to run: the page's own drop target never hears of it.
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    const files = [...event.dataTransfer.files];
    if (data === 'labelled' && files.length > 0 && files.every(({ type }) => type.startsWith('image/'))) void addPictures(files);
    else openDroppedDataset(event.dataTransfer);
  };
  return (
    <main
      className="train-page"
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) setOver(false);
      }}
      onDrop={onDrop}
    >
      <div className="train-left">
        <DataPanel />
        <SettingsPanel />
      </div>
      <div className="train-right">
        {data === 'labelled' && <LabelPanel />}
        <RunPanel />
        {hasRun && (
          <>
            <CurvesPanel />
            <SamplesPanel />
            <FiringRatesPanel />
          </>
        )}
        <KeptModelsPanel />
      </div>
      {isOver && (
        <p className="drop-hint" role="status">
          {data === 'labelled' ? 'Drop pictures to draw boxes on them, or a labelled folder or zip to train on it.' : 'Drop a folder or a zip with pictures and their labels to train on them.'}
        </p>
      )}
    </main>
  );
}
