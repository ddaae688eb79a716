import { sceneKinds } from '../../base/eventOptions';
import { filmAnother, galleryRecordings, openGalleryRecording, resetCamera, sceneTitles, setCamera, toggleCamera } from '../../commands/simulate';
import { usePlayground } from '../../state/store';
import { Button, Panel, SliderField } from '../../ui/controls';
import { SketchPad } from './SketchPad';
import './recording.css';

/** Events for people without an event camera: everything here goes through the simulated one. */
export function EventSources() {
  const running = usePlayground((state) => state.camera.running);
  return (
    <Panel title="Events" className="event-sources">
      <ul className="source-list" aria-label="Simulated recordings">
        {galleryRecordings.map((recording) => (
          <li key={recording.file}>
            <Button look="quiet" onPress={() => void openGalleryRecording(recording)}>
              {recording.title}
            </Button>
          </li>
        ))}
      </ul>
      <div className="source-actions">
        {sceneKinds.map((scene) => (
          <Button key={scene} aria-label={`Film another: ${sceneTitles[scene]}`} onPress={() => void filmAnother(scene)}>
            Another {scene === 'digits' ? 'of digits' : 'road'}
          </Button>
        ))}
      </div>
      <p className="source-note">Simulated: scenes that this program draws, seen by its simulated event camera.</p>
      <p className="source-note">
        Open a recording above: Prophesee DAT and RAW, AEDAT, ATIS, Event Stream, HDF5, npy, text. Boxes beside it (<code>*_bbox.npy</code>, VOC, YOLO)
        are shown with it.
      </p>
      <details>
        <summary>Make events: webcam, video, sketch</summary>
        <div className="source-actions">
          <Button aria-pressed={running} onPress={toggleCamera}>
            {running ? 'Stop the webcam' : 'Webcam'}
          </Button>
        </div>
        <p className="source-note">A video file is turned into events when you open it.</p>
        <SketchPad />
        <CameraFields />
      </details>
    </Panel>
  );
}

function CameraFields() {
  const settings = usePlayground((state) => state.camera.settings);
  return (
    <details className="camera-fields">
      <summary>Simulated camera</summary>
      <div className="settings">
        <SliderField label="ON threshold" value={settings.onThreshold} minimum={0.05} maximum={1} step={0.01} onChange={(onThreshold) => setCamera({ onThreshold })} />
        <SliderField label="OFF threshold" value={settings.offThreshold} minimum={0.05} maximum={1} step={0.01} onChange={(offThreshold) => setCamera({ offThreshold })} />
        <SliderField
          label="Spread of thresholds"
          value={settings.thresholdSpread}
          minimum={0}
          maximum={0.2}
          step={0.01}
          onChange={(thresholdSpread) => setCamera({ thresholdSpread })}
        />
        <SliderField
          label="Refractory time (µs)"
          value={settings.refractoryUs}
          minimum={0}
          maximum={20_000}
          step={100}
          onChange={(refractoryUs) => setCamera({ refractoryUs })}
        />
        <SliderField label="Leak events (Hz)" value={settings.leakRateHz} minimum={0} maximum={5} step={0.05} onChange={(leakRateHz) => setCamera({ leakRateHz })} />
        <SliderField
          label="Shot noise (Hz)"
          value={settings.shotNoiseRateHz}
          minimum={0}
          maximum={20}
          step={0.1}
          onChange={(shotNoiseRateHz) => setCamera({ shotNoiseRateHz })}
        />
        <Button look="quiet" onPress={resetCamera}>
          Standard camera
        </Button>
      </div>
      <p className="source-note">Takes effect with the next webcam, video or sketch.</p>
    </details>
  );
}
