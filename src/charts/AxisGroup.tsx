import { useEffect, useRef } from 'react';
import { select, type Axis, type AxisDomain } from 'd3';

export interface AxisGroupProps<Domain extends AxisDomain> {
  axis: Axis<Domain>;
  x: number;
  y: number;
}

/** A d3 axis within an SVG; d3 owns what is inside the group. */
export function AxisGroup<Domain extends AxisDomain>({ axis, x, y }: AxisGroupProps<Domain>) {
  const group = useRef<SVGGElement>(null);
  useEffect(() => {
    if (group.current) select(group.current).call(axis);
  }, [axis]);
  return <g ref={group} className="chart-axis" transform={`translate(${x},${y})`} aria-hidden="true" />;
}
