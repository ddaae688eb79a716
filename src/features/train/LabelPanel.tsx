import { useState } from 'react';
import type { Box } from '../../base/geometry';
import { BoxEditor } from '../../charts/BoxEditor';
import {
  addBox,
  addClass,
  addPictures,
  forgetLabels,
  removeBox,
  removePicture,
  renameClass,
  saveLabels,
  selectBox,
  setBox,
  setBoxClass,
  showPictureToLabel,
} from '../../commands/labelling';
import { usePlayground } from '../../state/store';
import type { LabelledPicture, LabellingState } from '../../state/training';
import { Button, Panel, SelectField } from '../../ui/controls';
import { FileButton, NumberInput, TextInput } from '../../ui/fields';
import { countOf } from './words';

/** A simple tool to draw boxes on one's own pictures. */
export function LabelPanel() {
  const labelling = usePlayground((state) => state.labelling);
  const { pictures, current } = labelling;
  const picture = pictures[current];
  const boxes = pictures.reduce((sum, each) => sum + each.boxes.length, 0);
  return (
    <Panel title="Label pictures" aside={pictures.length > 0 ? `${countOf(boxes, 'box', 'boxes')} on ${countOf(pictures.length, 'picture')}; kept on this machine as you draw` : undefined}>
      <div className="train-fields">
        <div className="train-row">
          <FileButton label="Open pictures…" accept="image/*" multiple onFiles={(files) => void addPictures(files)} />
          {pictures.length > 0 && (
            <>
              <Button isDisabled={boxes === 0} onPress={() => void saveLabels()}>
                Save as YOLO zip
              </Button>
              <Forget />
            </>
          )}
        </div>
        {picture ? (
          <>
            <PictureChoice labelling={labelling} />
            <Editor labelling={labelling} picture={picture} />
            <p className="train-note">
              Press and pull on the picture for a new box; pull a box to move it, its grips to resize it. Keys on the picture: <kbd>Enter</kbd> adds a box, <kbd>Page Up</kbd> <kbd>Page Down</kbd> choose one, arrows move it (
              <kbd>Shift</kbd>: 10 pixels), <kbd>Alt</kbd> and arrows resize it, <kbd>Delete</kbd> removes it.
            </p>
            <BoxTable labelling={labelling} picture={picture} />
          </>
        ) : (
          <p className="train-note">Open or drop pictures, draw a box around each object, name its class. A few dozen pictures are enough for a first detector, best from a model that is trained already.</p>
        )}
      </div>
    </Panel>
  );
}

/** Asked once more: hours of drawing can be in it. */
function Forget() {
  const [asks, ask] = useState(false);
  return asks ? (
    <>
      <span>Forget all pictures and boxes?</span>
      <Button onPress={() => void forgetLabels().then(() => ask(false))}>Forget them</Button>
      <Button look="quiet" onPress={() => ask(false)}>
        Keep them
      </Button>
    </>
  ) : (
    <Button look="quiet" onPress={() => ask(true)}>
      Start over
    </Button>
  );
}

function PictureChoice({ labelling: { pictures, current } }: { labelling: LabellingState }) {
  return (
    <div className="train-row">
      <Button aria-label="Previous picture" isDisabled={current === 0} onPress={() => showPictureToLabel(current - 1)}>
        <span aria-hidden="true">◀</span>
      </Button>
      <SelectField
        label="Picture"
        hideLabel
        choices={pictures.map(({ name, boxes }, index) => ({ id: String(index), label: `${index + 1} of ${pictures.length}: ${name}`, description: countOf(boxes.length, 'box', 'boxes') }))}
        value={String(current)}
        onChange={(index) => showPictureToLabel(Number(index))}
      />
      <Button aria-label="Next picture" isDisabled={current === pictures.length - 1} onPress={() => showPictureToLabel(current + 1)}>
        <span aria-hidden="true">▶</span>
      </Button>
      <Button look="quiet" onPress={removePicture}>
        Remove this picture
      </Button>
    </div>
  );
}

function Editor({ labelling, picture: { bitmap, size, boxes, name } }: { labelling: LabellingState; picture: LabelledPicture }) {
  const theme = usePlayground((state) => state.view.shownTheme);
  return (
    <>
      <Classes labelling={labelling} />
      <BoxEditor
        image={bitmap}
        {...size}
        boxes={boxes}
        classNames={labelling.classNames}
        newClass={labelling.class}
        selected={labelling.selected}
        title={`Boxes on ${name}`}
        theme={theme}
        onSelect={selectBox}
        onAdd={addBox}
        onChange={setBox}
        onRemove={removeBox}
      />
    </>
  );
}

function Classes({ labelling: { classNames, class: label, selected } }: { labelling: LabellingState }) {
  const [name, setName] = useState('');
  const add = (): void => {
    addClass(name);
    setName('');
  };
  const isNew = name.trim() !== '' && !classNames.includes(name.trim());
  return (
    <div className="train-row train-classes">
      <SelectField
        label={selected === undefined ? 'Class of new boxes' : 'Class of the chosen box'}
        choices={classNames.map((each, index) => ({ id: String(index), label: each }))}
        value={String(label)}
        onChange={(index) => setBoxClass(selected, Number(index))}
      />
      <TextInput label="Class name" value={name} onChange={setName} onSubmit={add} />
      <Button isDisabled={!isNew} onPress={add}>
        Add the class
      </Button>
      <Button
        isDisabled={!isNew}
        onPress={() => {
          renameClass(label, name);
          setName('');
        }}
      >
        Rename {classNames[label]}
      </Button>
      <Button onPress={() => addBox()}>Add a box</Button>
    </div>
  );
}

const sides = ['Left', 'Top', 'Right', 'Bottom'] as const;

/** The same boxes as numbers: for those who do not draw, and for a pixel's precision. */
function BoxTable({ labelling: { classNames, selected }, picture: { boxes, size } }: { labelling: LabellingState; picture: LabelledPicture }) {
  if (boxes.length === 0) return null;
  return (
    <details className="train-boxes">
      <summary>Boxes as numbers</summary>
      <div className="train-table" tabIndex={0} role="region" aria-label="Boxes of this picture">
        <table data-testid="label-boxes">
          <thead>
            <tr>
              <th scope="col">Box</th>
              <th scope="col">Class</th>
              {sides.map((side) => (
                <th key={side} scope="col">
                  {side}
                </th>
              ))}
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {boxes.map(({ box, class: label }, index) => (
              <tr key={index} data-selected={index === selected || undefined}>
                <th scope="row">
                  <Button look="quiet" aria-pressed={index === selected} aria-label={`Choose box ${index + 1}`} onPress={() => selectBox(index)}>
                    {index + 1}
                  </Button>
                </th>
                <td>
                  <SelectField
                    label={`Class of box ${index + 1}`}
                    hideLabel
                    choices={classNames.map((each, at) => ({ id: String(at), label: each }))}
                    value={String(label)}
                    onChange={(at) => setBoxClass(index, Number(at))}
                  />
                </td>
                {sides.map((side, at) => (
                  <td key={side}>
                    <NumberInput
                      label={`${side} of box ${index + 1}`}
                      hideLabel
                      value={Math.round(box[at] ?? 0)}
                      minimum={0}
                      maximum={at % 2 === 0 ? size.width : size.height}
                      step={1}
                      onChange={(value) => setBox(index, ordered(box.map((edge, each) => (each === at ? value : edge)) as [number, number, number, number]))}
                    />
                  </td>
                ))}
                <td>
                  <Button look="quiet" aria-label={`Remove box ${index + 1}`} onPress={() => removeBox(index)}>
                    Remove
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** Edges in the order that a box has, whichever of them was typed past the other. */
function ordered([x1, y1, x2, y2]: readonly [number, number, number, number]): Box {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}
