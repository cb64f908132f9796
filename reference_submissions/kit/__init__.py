"""What every reference submission shares. Start with detector.py: a method is one subclass of `Detector`.

detector     the class to subclass: fit, score, save, load
volumes      normal volumes as a method gets them: read when asked for
slices       a volume as axial slices of one size, and back; smoothing, resizing
device       the GPU if there is one, mixed precision, threads           (torch)
training     the loop: epochs, early stop, best weights, progress        (torch)
state        a network's weights on disk, its parameters counted         (torch)
calibration  raw scores into [0, 1]
fitted       a detector with its calibration: what an image carries
costs        what training and predicting take
nifti        scans in, score maps out
entry        what an image's four scripts call
"""
