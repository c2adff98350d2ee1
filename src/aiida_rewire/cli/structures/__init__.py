"""`aiida-rewire structures`: junctions by their conductance, seen and handed on."""
