// Tests of numbers share two processor cores with libtorch's own threads: classes run one after the other.
[assembly: DoNotParallelize]
