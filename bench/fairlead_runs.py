def all_figures(*a,**k): return []
