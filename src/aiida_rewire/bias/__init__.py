"""The electrochemical potential of EChemDID, without a patched LAMMPS.

The package travels with the job: it needs Python 3.9, numpy, scipy and `aiida_rewire.errors`, nothing else.
"""
