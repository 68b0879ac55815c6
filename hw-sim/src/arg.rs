use dahdi_abi::Errno;

/// The memory of the program that made a request, for requests whose number does not carry their payload.
pub trait CallerMemory {
    /// Reads `len` octets at `address`; `EFAULT` when they are not there.
    fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>, Errno>;

    /// Writes `data` at `address`; `EFAULT` when it cannot be written.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Errno>;
}

/// What comes with an `ioctl` request.
pub struct Arg<'a> {
    /// The payload, as many octets as the request number tells, read and written in place.
    pub data: &'a mut [u8],
    /// The argument itself: an address in the caller's memory. 0 when it is not known.
    pub address: u64,
    /// The caller's memory, where it can be reached. Without it, `data` stands for the payload of every request.
    pub memory: Option<&'a mut dyn CallerMemory>,
}

impl<'a> Arg<'a> {
    /// A payload in this process.
    pub fn new(data: &'a mut [u8]) -> Arg<'a> {
        Arg { data, address: 0, memory: None }
    }

    /// The first `len` octets at the argument's address: from the caller's memory where there is one (the request
    /// number does not say that the kernel reads them), from `data` otherwise.
    pub(crate) fn fetch(&mut self, len: usize) -> Result<Vec<u8>, Errno> {
        match self.memory.as_deref_mut() {
            Some(memory) => memory.read(self.address, len),
            None => self.data.get(..len).map(<[u8]>::to_vec).ok_or(Errno::FAULT),
        }
    }

    /// Gives `reply` to a caller whose request number does not say that the kernel writes.
    pub(crate) fn store(&mut self, reply: &[u8]) -> Result<(), Errno> {
        match self.memory.as_deref_mut() {
            Some(memory) => memory.write(self.address, reply),
            None => {
                self.data.get_mut(..reply.len()).ok_or(Errno::FAULT)?.copy_from_slice(reply);
                Ok(())
            }
        }
    }
}
