//! Where an image is baked: what of a platform's set-up a builder needs, and the image that it begins with.

use super::carry::BakeError;
use super::{Architecture, Program};
use crate::clients::Clients;
use crate::failure::Kind;
use crate::setup::{Asked, Footing, Patience, Wish, bear, newest_image};

/// What a builder needs of the platform.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The launch template's id.
    pub(super) template: String,
    /// The bucket.
    pub(super) bucket: String,
    /// Where the builder is started.
    pub(super) subnet: String,
    /// What the builder is.
    pub instance_type: String,
    /// The id of the image that it begins with.
    pub base: String,
    /// What that image is called.
    pub base_name: String,
    /// What machines of that image run, as EC2 calls it.
    architecture: String,
}

impl Ground {
    /// Finds it. The image is the newest Debian 12, unless another is asked for.
    ///
    /// # Errors
    /// There is no complete set-up, the image does not fit it, or AWS does not answer.
    pub async fn find(clients: &Clients, wish: &Wish, asked: Asked) -> Result<Self, BakeError> {
        let footing = Footing::find(clients, wish).await?;
        let subnet = asked.subnet.map_or_else(|| footing.subnet("a builder"), Ok)?;
        let image = asked.image.as_deref();
        let read = async || newest_image(clients, image).await;
        let base = bear(Patience::default(), Kind::is_passing, read).await?;
        let disks = footing.host.as_ref().map(|data| data.block_device_mappings()).unwrap_or_default();
        let disk = disks.first().and_then(|disk| disk.device_name());
        if let (Some(template), Some(image)) = (disk, base.root_device_name())
            && template != image
        {
            return Err(BakeError::OtherDisk { template: template.to_owned(), image: image.to_owned() });
        }
        let instance_type = asked.instance_type.unwrap_or_else(|| footing.instance_type());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Self {
            template: footing.template,
            bucket: footing.bucket,
            subnet,
            instance_type,
            base: text(base.image_id()),
            base_name: text(base.name()),
            architecture: base.architecture().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// Returns the id of the launch template.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Tells whether a program runs on machines of the image.
    ///
    /// # Errors
    /// It does not.
    pub fn fits(&self, program: &Program) -> Result<(), BakeError> {
        let known = [Architecture::X86_64, Architecture::Arm64];
        // What is not said, as by old images, is not known better here.
        let machine = known.into_iter().find(|known| known.to_string() == self.architecture);
        match machine {
            Some(machine) if machine != program.architecture => {
                Err(BakeError::OtherMachine { path: program.path.clone(), is: program.architecture, machine })
            }
            _ => Ok(()),
        }
    }
}
