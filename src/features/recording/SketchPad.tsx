import { useState } from 'react';
import { emptySketch, lightOnDark } from '../../base/sketch';
import { moveSketch } from '../../commands/simulate';
import { Button } from '../../ui/controls';
import { DrawingPad } from '../../ui/DrawingPad';

/** A pad in light on dark; what is drawn is then moved over a simulated event camera. */
export function SketchPad() {
  const [sketch, setSketch] = useState(emptySketch);
  return (
    <div className="sketch">
      <DrawingPad name="Sketch pad" sketch={sketch} colours={lightOnDark} onChange={setSketch} />
      <div className="source-actions">
        <Button isDisabled={sketch.strokes.length === 0} onPress={() => void moveSketch(sketch)}>
          Move it
        </Button>
      </div>
    </div>
  );
}
