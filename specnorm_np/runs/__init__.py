"""Training runs in folders: what a run is asked to be, what it leaves on disk, and many runs side by side.

`fit.fit` trains in a line. `config.Config` is the request; `run` creates, trains, saves and loads a run; `storage`
writes whole files or none; `compare` trains many runs on all cores, in a `pool` of processes, or on a `cluster` (it
needs dask.distributed), whose workers do the job in `away`; `tables` tabulates them, `reports` bounds the discriminator
of a run, and `picture` draws a run (it needs matplotlib).
"""
