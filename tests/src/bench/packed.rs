//! The little of MessagePack that scripts take: one flat array of texts and integers.

/// An array in the making.
pub(super) struct Packed {
    bytes: Vec<u8>,
    items: u32,
}

impl Packed {
    pub(super) fn new() -> Self {
        // The count goes into the header at the end.
        Self {
            bytes: vec![0xdd, 0, 0, 0, 0],
            items: 0,
        }
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let length = u8::try_from(text.len()).expect("short texts only");
        self.bytes.extend_from_slice(&[0xd9, length]);
        self.bytes.extend_from_slice(text.as_bytes());
        self.items += 1;
        self
    }

    pub(super) fn int(&mut self, value: i64) -> &mut Self {
        match u8::try_from(value) {
            Ok(small) if small < 128 => self.bytes.push(small),
            _ => {
                self.bytes.push(0xd3);
                self.bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
        self.items += 1;
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes[1..5].copy_from_slice(&self.items.to_be_bytes());
        self.bytes
    }
}
