import { useEffect, useState, type ReactNode } from 'react';
import { openDropped, openFiles } from '../commands/files';
import { usePlayground } from '../state/store';

/** The whole page takes dropped and pasted files; onto the ANN's pane, a checkpoint is the twin. */
export function DropTarget({ children }: { children: ReactNode }) {
  const [isOver, setOver] = useState(false);
  const page = usePlayground((state) => state.view.page);
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) void openFiles(files, 'snn');
    };
    window.addEventListener('paste', paste);
    return () => window.removeEventListener('paste', paste);
  }, []);
  return (
    <div
      className="app"
      data-drop={isOver || undefined}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const onTwin = event.target instanceof Element && event.target.closest('[data-drop-slot="ann"]') !== null;
        void openDropped(event.dataTransfer, onTwin ? 'ann' : 'snn');
      }}
    >
      {children}
      {isOver && (
        <p className="drop-hint" role="status">
          {page === 'evaluate'
            ? 'Drop a folder or a zip with labelled pictures or recordings to evaluate on it, a checkpoint to load it.'
            : 'Drop a picture, an event recording (with its boxes) or a video to run it, a checkpoint to load it. On the ANN pane a checkpoint becomes the ANN.'}
        </p>
      )}
    </div>
  );
}
