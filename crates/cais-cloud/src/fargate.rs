//! The sizes that a Fargate task may have, and the smallest that holds what a service asks for.

/// CPU units and MiB of memory of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// 1024 is a vCPU.
    pub cpu: u32,
    /// In MiB.
    pub memory: u32,
}

/// CPU units with the least and the most memory, and the step between (ECS, "Task CPU and memory").
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// The CPU units that there are.
pub fn cpus() -> Vec<u32> {
    SIZES.iter().map(|(cpu, ..)| *cpu).collect()
}

/// The memory that goes with CPU units, in MiB; empty where there are no such units.
pub fn memories(cpu: u32) -> Vec<u32> {
    let Some((_, least, most, step)) = SIZES.iter().find(|(units, ..)| *units == cpu) else {
        return Vec::new();
    };
    let mut memories: Vec<u32> = (*least..=*most).step_by(*step as usize).collect();
    // The smallest task has 512, 1024 or 2048.
    memories.retain(|memory| cpu != 256 || *memory != 1536);
    memories
}

/// The smallest size with at least so much; `None` where nothing is as large.
pub fn smallest(cpu: u32, memory: u32) -> Option<Size> {
    let sizes = SIZES.iter().filter(|(units, ..)| *units >= cpu);
    sizes
        .flat_map(|(units, ..)| {
            let memories = memories(*units).into_iter();
            memories.map(|memory| Size {
                cpu: *units,
                memory,
            })
        })
        .find(|size| size.memory >= memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_size_that_holds_a_service_is_taken() {
        for (asked, want) in [
            ((0, 0), Some((256, 512))),
            ((256, 513), Some((256, 1024))),
            ((256, 1500), Some((256, 2048))),
            ((257, 0), Some((512, 1024))),
            ((256, 5000), Some((1024, 5120))),
            ((16384, 122_880), Some((16384, 122_880))),
            ((16385, 0), None),
        ] {
            let size = smallest(asked.0, asked.1).map(|size| (size.cpu, size.memory));
            assert_eq!(size, want, "{asked:?}");
        }
        assert_eq!(memories(256), [512, 1024, 2048]);
        assert_eq!(memories(300), Vec::<u32>::new());
    }
}
